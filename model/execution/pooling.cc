// SPDX-License-Identifier: Apache-2.0
#include "model/execution/pooling.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace lipserve {
namespace {

// Channels that are pooled side by side, so that compilers vectorise over them.
constexpr std::size_t kLanes = 32;
using Lanes = std::array<double, kLanes>;

// Some neighbouring channels of one window.
template <typename Number>
struct WindowView {
  const Number* first;       // of the window's first position
  std::size_t channels;      // in the view, at most kLanes
  std::size_t height;        // of the window
  std::size_t width;         // of the window
  std::size_t row_stride;    // from a position to the one below
  std::size_t pixel_stride;  // from a position to the one beside

  // Calls visit(lane, value) for every number, position by position.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (std::size_t i = 0; i < height; ++i) {
      for (std::size_t j = 0; j < width; ++j) {
        const Number* x = first + i * row_stride + j * pixel_stride;
        for (std::size_t c = 0; c < channels; ++c) visit(c, static_cast<double>(x[c]));
      }
    }
  }
};

// Fills y window by window with what pool_window(view, lanes) leaves in the lanes.
template <typename Pool, typename Number, typename PoolWindow>
void ForEachWindow(const Pool& pool, const SampleShape& input, const Number* x, Number* y,
                   PoolWindow pool_window) {
  const SampleShape output = OutputShape(pool, input);
  WindowView<Number> view{.first = nullptr,
                          .channels = 0,
                          .height = pool.window_height,
                          .width = pool.window_width,
                          .row_stride = input.width * input.channels,
                          .pixel_stride = input.channels};
  for (std::size_t i = 0; i < output.height; ++i) {
    for (std::size_t j = 0; j < output.width; ++j) {
      for (std::size_t c = 0; c < input.channels; c += kLanes) {
        view.first = x + i * view.height * view.row_stride + j * view.width * view.pixel_stride + c;
        view.channels = std::min(kLanes, input.channels - c);
        Lanes lanes{};
        pool_window(view, lanes);
        for (std::size_t lane = 0; lane < view.channels; ++lane) {
          *y++ = static_cast<Number>(lanes[lane]);
        }
      }
    }
  }
}

template <typename Number>
void PoolAverages(const AveragePoolLayer& pool, const SampleShape& input, const Number* x,
                  Number* y) {
  const double scale = static_cast<double>(pool.scale);
  ForEachWindow(pool, input, x, y, [scale](const WindowView<Number>& window, Lanes& sums) {
    window.ForEach([&](std::size_t c, double value) { sums[c] += value; });
    for (std::size_t c = 0; c < window.channels; ++c) sums[c] *= scale;
  });
}

// The exponent of the largest power of two that is at most |value|, clipped so that 2 to it and to
// its negative are normal numbers.
int ScaleExponent(double value) {
  constexpr int kBias = 1023;
  constexpr int kLimit = 1000;
  const auto biased = static_cast<int>(std::bit_cast<std::uint64_t>(value) >> 52U & 0x7FFU);
  return std::clamp(biased - kBias, -kLimit, kLimit);
}

double PowerOfTwo(int exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52U);
}

// The positions of an axis of `length` that the window of an output covers.
struct Covered {
  Covered(const WindowAxis& axis, std::size_t length, std::size_t output)
      : begin(output * axis.stride < axis.padding_before
                  ? 0
                  : output * axis.stride - axis.padding_before),
        end(std::min(length, output * axis.stride + axis.size - axis.padding_before)) {}

  std::size_t begin;
  std::size_t end;
};

}  // namespace

void AveragePool(const AveragePoolLayer& pool, const SampleShape& input, const float* x, float* y) {
  PoolAverages(pool, input, x, y);
}

void AveragePool(const AveragePoolLayer& pool, const SampleShape& input, const double* x,
                 double* y) {
  PoolAverages(pool, input, x, y);
}

// Squares of float32 numbers are exact in float64, far from its limits.
void L2NormPool(const L2NormPoolLayer& pool, const SampleShape& input, const float* x, float* y) {
  ForEachWindow(pool, input, x, y, [](const WindowView<float>& window, Lanes& sums) {
    window.ForEach([&](std::size_t c, double value) { sums[c] += value * value; });
    for (std::size_t c = 0; c < window.channels; ++c) sums[c] = std::sqrt(sums[c]);
  });
}

// The largest magnitude of a window is scaled to at least 2^-74, mostly to [1, 2), so that what the
// smaller ones lose to underflow, less than 2^-1000 of the sum of squares, disappears in the n
// roundings of that sum, of which the root keeps half.
void L2NormPool(const L2NormPoolLayer& pool, const SampleShape& input, const double* x, double* y) {
  ForEachWindow(pool, input, x, y, [](const WindowView<double>& window, Lanes& sums) {
    Lanes largest{};
    window.ForEach(
        [&](std::size_t c, double value) { largest[c] = std::max(largest[c], std::fabs(value)); });
    Lanes down{};
    for (std::size_t c = 0; c < window.channels; ++c) {
      down[c] = PowerOfTwo(-ScaleExponent(largest[c]));
    }
    window.ForEach([&](std::size_t c, double value) {
      const double scaled = value * down[c];
      sums[c] += scaled * scaled;
    });
    for (std::size_t c = 0; c < window.channels; ++c) {
      sums[c] = std::sqrt(sums[c]) * PowerOfTwo(ScaleExponent(largest[c]));
    }
  });
}

template <typename Number>
void MaxPool(const MaxPoolLayer& pool, const SampleShape& input, const Number* x, Number* y) {
  const SampleShape output = OutputShape(pool, input);
  const std::size_t channels = input.channels;
  for (std::size_t i = 0; i < output.height; ++i) {
    const Covered rows(pool.vertical, input.height, i);
    for (std::size_t j = 0; j < output.width; ++j, y += channels) {
      const Covered columns(pool.horizontal, input.width, j);
      std::copy_n(x + (rows.begin * input.width + columns.begin) * channels, channels, y);
      for (std::size_t row = rows.begin; row < rows.end; ++row) {
        for (std::size_t column = columns.begin; column < columns.end; ++column) {
          const Number* const numbers = x + (row * input.width + column) * channels;
          for (std::size_t c = 0; c < channels; ++c) y[c] = y[c] < numbers[c] ? numbers[c] : y[c];
        }
      }
    }
  }
}

template void MaxPool(const MaxPoolLayer&, const SampleShape&, const float*, float*);
template void MaxPool(const MaxPoolLayer&, const SampleShape&, const double*, double*);

}  // namespace lipserve
