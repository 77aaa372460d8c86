// SPDX-License-Identifier: Apache-2.0
// A convolution spelled out as a matrix in quadruple precision, straight from the definition and
// from what the four paddings mean, with none of the code under test: the oracle for its norm.
#ifndef TESTS_MODEL_DENSE_CONVOLUTION_H_
#define TESTS_MODEL_DENSE_CONVOLUTION_H_

#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <random>
#include <vector>

#include "model/network/frozen_network.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/quad.h"

namespace lipserve {

using QuadMatrix = std::vector<std::vector<Quad>>;

// The pixel that stands at `position`, which may be outside 0, ..., length - 1.
inline std::optional<long> PixelAt(long position, long length, PaddingMode mode) {
  if (position >= 0 && position < length) return position;
  switch (mode) {
    case PaddingMode::kZero:
      return std::nullopt;
    case PaddingMode::kReflect:
      return position < 0 ? -position : 2 * (length - 1) - position;
    case PaddingMode::kReplicate:
      return position < 0 ? 0 : length - 1;
    case PaddingMode::kCircular:
      return (position + length) % length;
  }
  return std::nullopt;
}

enum class Weights { kSigned, kAbsolute };

// T, [outputs, inputs], images being [C, H, W]; or |T|, which adds the magnitudes of its taps.
inline QuadMatrix DenseMatrix(const ConvolutionLayer& layer, Weights kind) {
  const SampleShape in = layer.input;
  const SampleShape out = layer.output();
  const std::size_t channels = in.channels / layer.groups;
  QuadMatrix t(out.size(), std::vector<Quad>(in.size(), 0));
  const auto at = [](std::size_t i, const WindowAxis& axis, std::size_t tap) {
    return static_cast<long>(i * axis.stride + tap * axis.dilation) -
           static_cast<long>(axis.padding_before);
  };
  std::size_t index = 0;
  for (std::size_t o = 0; o < out.channels; ++o) {
    const std::size_t first = o / (out.channels / layer.groups) * channels;
    for (std::size_t c = first; c < first + channels; ++c) {
      for (std::size_t u = 0; u < layer.vertical.size; ++u) {
        for (std::size_t v = 0; v < layer.horizontal.size; ++v) {
          const Quad k = layer.weights[index++];
          for (std::size_t i = 0; i < out.height; ++i) {
            for (std::size_t j = 0; j < out.width; ++j) {
              const auto y = PixelAt(at(i, layer.vertical, u), static_cast<long>(in.height),
                                     layer.padding_mode);
              const auto x = PixelAt(at(j, layer.horizontal, v), static_cast<long>(in.width),
                                     layer.padding_mode);
              if (!y || !x) continue;
              const std::size_t from = (c * in.height + static_cast<std::size_t>(*y)) * in.width +
                                       static_cast<std::size_t>(*x);
              t[(o * out.height + i) * out.width + j][from] +=
                  kind == Weights::kAbsolute && k < 0 ? -k : k;
            }
          }
        }
      }
    }
  }
  return t;
}

// Whether every singular value of the matrix is below `bound`: the pivots of bound^2 I - G are
// positive, G being the smaller Gram matrix. Errs by about 1e-30 relative.
inline bool QuadNormIsBelow(const QuadMatrix& t, double bound) {
  const bool wide = t.size() <= t[0].size();
  const std::size_t p = wide ? t.size() : t[0].size();
  const std::size_t q = wide ? t[0].size() : t.size();
  const auto at = [&](std::size_t i, std::size_t k) { return wide ? t[i][k] : t[k][i]; };
  QuadMatrix b(p, std::vector<Quad>(p, 0));
  for (std::size_t i = 0; i < p; ++i) {
    for (std::size_t k = 0; k < q; ++k) {
      if (at(i, k) == 0) continue;
      for (std::size_t j = i; j < p; ++j) b[i][j] -= at(i, k) * at(j, k);
    }
    b[i][i] += static_cast<Quad>(bound) * bound;
  }
  for (std::size_t k = 0; k < p; ++k) {
    if (!(b[k][k] > 0)) return false;
    for (std::size_t i = k + 1; i < p; ++i) {
      if (b[k][i] == 0) continue;
      const Quad factor = b[k][i] / b[k][k];
      for (std::size_t j = i; j < p; ++j) b[i][j] -= factor * b[k][j];
    }
  }
  return true;
}

// The largest singular value, by bisection, to about 1e-14 relative.
inline double QuadNorm(const QuadMatrix& t) {
  Quad squares = 0;
  for (const auto& row : t) {
    for (const Quad value : row) squares += value * value;
  }
  double low = 0.0;
  double high = std::sqrt(static_cast<double>(squares)) * (1.0 + 1e-15);
  while (high - low > 1e-14 * high && high > 0.0) {
    const double middle = 0.5 * (low + high);
    (QuadNormIsBelow(t, middle) ? high : low) = middle;
  }
  return high;
}

// An axis with the padding that keeps lengths at stride 1, if the size is odd.
inline WindowAxis SameAxis(std::size_t size) {
  return {.size = size, .padding_before = (size - 1) / 2, .padding_after = size / 2};
}

inline constexpr std::array<PaddingMode, 4> kModes = {
    PaddingMode::kZero, PaddingMode::kReflect, PaddingMode::kReplicate, PaddingMode::kCircular};

// An axis at random that CheckNetwork accepts: even and odd sizes, windows larger than half of the
// image, strides, dilations and unequal paddings. With padding other than zero, several taps of a
// window can read one pixel.
inline WindowAxis RandomAxis(std::mt19937_64& random, PaddingMode mode, std::size_t length,
                             std::size_t largest_stride) {
  while (true) {
    const WindowAxis axis{.size = 1 + random() % 5,
                          .stride = 1 + random() % largest_stride,
                          .dilation = 1 + random() % 2,
                          .padding_before = random() % 4,
                          .padding_after = random() % 4};
    if (IsValidPadding(axis, mode, length) && axis.outputs(length) >= 1) return axis;
  }
}

// A convolution with normal weights and the same axis both ways.
inline ConvolutionLayer RandomConvolution(std::mt19937_64& random, SampleShape input,
                                          std::size_t output_channels, const WindowAxis& axis,
                                          PaddingMode mode = PaddingMode::kZero,
                                          std::size_t groups = 1) {
  ConvolutionLayer layer{.input = input,
                         .output_channels = output_channels,
                         .groups = groups,
                         .vertical = axis,
                         .horizontal = axis,
                         .padding_mode = mode,
                         .weights = {},
                         .bias = {},
                         .claimed_operator_norm_bound = 0.0};
  layer.weights = RandomFloats(random, output_channels * layer.fan_in(), 1.0);
  return layer;
}

// A convolution of one channel with the outer product of `row` and `column` as its kernel.
inline ConvolutionLayer SeparableConvolution(std::size_t height, std::size_t width,
                                             const std::vector<float>& column,
                                             const std::vector<float>& row) {
  ConvolutionLayer layer{.input = {.channels = 1, .height = height, .width = width},
                         .output_channels = 1,
                         .groups = 1,
                         .vertical = SameAxis(column.size()),
                         .horizontal = SameAxis(row.size()),
                         .padding_mode = PaddingMode::kZero,
                         .weights = {},
                         .bias = {},
                         .claimed_operator_norm_bound = 0.0};
  for (const float a : column) {
    for (const float b : row) layer.weights.push_back(a * b);
  }
  return layer;
}

}  // namespace lipserve

#endif  // TESTS_MODEL_DENSE_CONVOLUTION_H_
