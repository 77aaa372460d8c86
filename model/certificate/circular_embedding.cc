// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/circular_embedding.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "model/arithmetic/vector_norm.h"
#include "model/certificate/banded_cholesky.h"
#include "model/certificate/convolution_operator.h"
#include "model/certificate/lanczos.h"
#include "model/certificate/roots_of_unity.h"
#include "model/certificate/symmetric_panel.h"

namespace lipserve {
namespace {

constexpr std::size_t kEstimateSteps = 24;

std::size_t RoundUp(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Phases of the stride that some tap reads: all, unless the dilation shares factors with it.
std::size_t Phases(const WindowAxis& axis) {
  return std::min(axis.size, axis.stride / std::gcd(axis.stride, axis.dilation));
}

// Outputs along one circle, that is, frequencies. One is enough for windows that do not overlap: no
// tap is shifted, so all blocks are equal.
std::size_t Frequencies(const WindowAxis& axis, std::size_t circle) {
  return axis.extent() <= axis.stride ? 1 : circle / axis.stride;
}

}  // namespace

std::optional<std::size_t> EmbeddingLength(const WindowAxis& axis, PaddingMode mode,
                                           std::size_t length) {
  const std::size_t padding = std::max(axis.padding_before, axis.padding_after);
  const std::size_t by_outputs = axis.stride * axis.outputs(length);
  if (padding == 0 || mode == PaddingMode::kZero) {
    return RoundUp(std::max(length + padding, by_outputs), axis.stride);
  }
  if (mode == PaddingMode::kCircular && length % axis.stride == 0 && by_outputs <= length) {
    return length;
  }
  return std::nullopt;
}

std::optional<Torus> EmbeddingTorus(const ConvolutionLayer& layer) {
  const auto height = EmbeddingLength(layer.vertical, layer.padding_mode, layer.input.height);
  const auto width = EmbeddingLength(layer.horizontal, layer.padding_mode, layer.input.width);
  if (!height || !width) return std::nullopt;
  const SampleShape output = layer.output();
  // Nothing is selected: every pixel and every output of the torus is one of T.
  const bool is_exact = *height == layer.input.height && *width == layer.input.width &&
                        *height == layer.vertical.stride * output.height &&
                        *width == layer.horizontal.stride * output.width;
  return Torus{.height = *height, .width = *width, .is_exact = is_exact};
}

ProofCost EmbeddingCost(const ConvolutionLayer& layer, const Torus& torus) {
  const std::size_t channels_in = layer.input.channels / layer.groups;
  const std::size_t channels_out = layer.output_channels / layer.groups;
  const std::size_t columns = channels_in * Phases(layer.vertical) * Phases(layer.horizontal);
  const ProofCost block =
      DenseProofCost(2 * std::min(columns, channels_out), 2 * std::max(columns, channels_out));
  const auto steps_y = static_cast<double>(Frequencies(layer.vertical, torus.height));
  const auto steps_x = static_cast<double>(Frequencies(layer.horizontal, torus.width));
  const double blocks = static_cast<double>(layer.groups) * steps_y * (steps_x / 2.0 + 1.0);
  const double coefficients = 8.0 * static_cast<double>(channels_out * layer.fan_in());
  // A root of unity is a series of some 60 products of 192-bit integers.
  const double roots = 1e4 * (steps_y + steps_x);
  return {.bytes = block.bytes + 24.0 * blocks,
          .flops = blocks * (block.flops + coefficients) + roots};
}

EmbeddingNormProof::EmbeddingNormProof(const ConvolutionLayer& layer, const Torus& torus,
                                       const StopCheck& stop)
    : NormProof(ScaleExponent(layer), stop),
      layer_(layer),
      steps_y_(Frequencies(layer.vertical, torus.height)),
      steps_x_(Frequencies(layer.horizontal, torus.width)),
      phases_(layer.vertical.stride * layer.horizontal.stride),
      taps_(TapsOf(layer)),
      roots_y_(RootsOfUnity(steps_y_)),
      roots_x_(RootsOfUnity(steps_x_)) {
  // Only phases that are read make columns.
  std::vector<std::size_t> read_phases;
  for (const Tap& tap : taps_) read_phases.push_back(tap.phase);
  std::sort(read_phases.begin(), read_phases.end());
  read_phases.erase(std::unique(read_phases.begin(), read_phases.end()), read_phases.end());
  for (Tap& tap : taps_) {
    tap.phase = static_cast<std::size_t>(
        std::lower_bound(read_phases.begin(), read_phases.end(), tap.phase) - read_phases.begin());
  }
  phases_ = read_phases.size();
  const std::size_t columns = layer.input.channels / layer.groups * phases_;
  const std::size_t rows = layer.output_channels / layer.groups;
  short_ = std::min(rows, columns);
  long_ = std::max(rows, columns);

  // A coefficient is off by at most sum |K| times the error of a product of two roots, 10 u, and of
  // a sum of as many products as there are taps, in the real and the imaginary part.
  Upper squares;
  for (std::size_t o = 0; o < layer.output_channels; ++o) {
    for (std::size_t c = 0; c < layer.input.channels / layer.groups; ++c) {
      const std::size_t first = (o * (layer.input.channels / layer.groups) + c) * taps_.size();
      const Upper sum = Norm1Bound(std::span(layer.weights).subspan(first, taps_.size()));
      squares = squares + sum * sum;
    }
  }
  const Upper magnitude(std::ldexp(SqrtUp(squares).value(), ScaleExponent(layer)));
  entry_error_ = Gamma(static_cast<double>(taps_.size() + 12), kUnitRoundoff64) * magnitude;
  // The block of -nu is the complex conjugate of that of nu and has its norm.
  for (std::size_t g = 0; g < layer.groups; ++g) {
    for (std::size_t y = 0; y < steps_y_; ++y) {
      for (std::size_t x = 0; x <= steps_x_ / 2; ++x) {
        blocks_.push_back({.group = g, .frequency_y = y, .frequency_x = x});
      }
    }
  }
}

std::vector<EmbeddingNormProof::Tap> EmbeddingNormProof::TapsOf(
    const ConvolutionLayer& layer) const {
  const WindowAxis& vertical = layer.vertical;
  const WindowAxis& horizontal = layer.horizontal;
  std::vector<Tap> taps;
  for (std::size_t v = 0; v < vertical.size; ++v) {
    for (std::size_t h = 0; h < horizontal.size; ++h) {
      const std::size_t y = v * vertical.dilation;
      const std::size_t x = h * horizontal.dilation;
      taps.push_back({.phase = y % vertical.stride * horizontal.stride + x % horizontal.stride,
                      .shift_y = y / vertical.stride % steps_y_,
                      .shift_x = x / horizontal.stride % steps_x_});
    }
  }
  return taps;
}

std::vector<double> EmbeddingNormProof::RealColumns(const Block& block) const {
  const std::size_t channels_in = layer_.input.channels / layer_.groups;
  const std::size_t rows = layer_.output_channels / layer_.groups;
  const std::size_t columns = channels_in * phases_;
  const double exact_scale = scale();
  std::vector<std::complex<double>> coefficients(rows * columns);
  for (std::size_t t = 0; t < taps_.size(); ++t) {
    const Tap& tap = taps_[t];
    const std::complex<double> a = roots_y_[block.frequency_y * tap.shift_y % steps_y_];
    const std::complex<double> b = roots_x_[block.frequency_x * tap.shift_x % steps_x_];
    // Written out because operator* of std::complex also handles infinities.
    const double re = a.real() * b.real() - a.imag() * b.imag();
    const double im = a.real() * b.imag() + a.imag() * b.real();
    for (std::size_t o = 0; o < rows; ++o) {
      const float* weight = layer_.weights.data() + (block.group * rows + o) * layer_.fan_in() + t;
      std::complex<double>* to = coefficients.data() + o * columns + tap.phase * channels_in;
      for (std::size_t c = 0; c < channels_in; ++c, weight += taps_.size()) {
        const double k = static_cast<double>(*weight) * exact_scale;
        to[c] = {to[c].real() + k * re, to[c].imag() + k * im};
      }
    }
  }
  // Column l of the real form of the short_ x long_ matrix, or of its transpose: same norm.
  std::vector<double> real(4 * short_ * long_);
  for (std::size_t l = 0; l < long_; ++l) {
    for (std::size_t s = 0; s < short_; ++s) {
      const std::complex<double> entry =
          rows <= columns ? coefficients[s * columns + l] : coefficients[l * columns + s];
      real[l * 2 * short_ + s] = entry.real();
      real[l * 2 * short_ + short_ + s] = entry.imag();
      real[(long_ + l) * 2 * short_ + s] = -entry.imag();
      real[(long_ + l) * 2 * short_ + short_ + s] = entry.real();
    }
  }
  return real;
}

bool EmbeddingNormProof::Completes(const Block& block, double c) const {
  const std::size_t p = 2 * short_;
  const std::size_t q = 2 * long_;
  const std::vector<double> columns = RealColumns(block);
  SymmetricBand b(p, p - 1);
  SymmetricPanel panel(std::min(SymmetricPanel::kUsualDepth, q), p);
  for (std::size_t first = 0; first < q; first += SymmetricPanel::kUsualDepth) {
    panel.Reset(std::min(SymmetricPanel::kUsualDepth, q - first), p);
    for (std::size_t t = 0; t < panel.depth(); ++t) {
      panel.SetRow(t, 0, std::span(columns).subspan((first + t) * p, p));
    }
    panel.SubtractSquare(0, b.row(0).data(), b.stride());
  }
  for (std::size_t i = 0; i < p; ++i) b.at(i, i) = c + b.at(i, i);
  return FactoriseCholesky(b, stop());
}

bool EmbeddingNormProof::Completes(double c) const {
  return std::all_of(blocks_.begin(), blocks_.end(),
                     [&](const Block& block) { return !stop()() && Completes(block, c); });
}

// If a block completes, the diagonal of its computed Gram matrix lies in [0, c], so its trace is at
// most p c.
Upper EmbeddingNormProof::Slack(double c) const {
  const std::size_t p = 2 * short_;
  const std::vector<double> diagonal(p, 0.0);
  const Upper gamma = Gamma(static_cast<double>(2 * long_ + 1), kUnitRoundoff64);
  const Upper gram_error =
      gamma * DivideUp(Upper(static_cast<double>(p)) * Upper(c), 1.0 - 2.0 * gamma.value());
  const Upper slack = FactorisationSlack(diagonal, p - 1, c) + gram_error;
  // From the computed block to the real one: (sqrt(lambda) + e)^2.
  const Upper root = SqrtUp(Upper(c) + slack);
  return slack + Upper(2.0) * entry_error_ * root + entry_error_ * entry_error_;
}

double EmbeddingNormProof::SortBlocksByEstimate() {
  const std::size_t p = 2 * short_;
  std::vector<std::pair<double, Block>> estimated;
  for (const Block& block : blocks_) {
    if (stop()()) return 0.0;
    const std::vector<double> columns = RealColumns(block);
    const SymmetricMap gram = [&](std::span<const double> x, std::span<double> y) {
      std::fill(y.begin(), y.end(), 0.0);
      for (std::size_t first = 0; first < columns.size(); first += p) {
        double product = 0.0;
        for (std::size_t s = 0; s < p; ++s) product += columns[first + s] * x[s];
        for (std::size_t s = 0; s < p; ++s) y[s] += columns[first + s] * product;
      }
    };
    estimated.emplace_back(LargestEigenvalueEstimate(p, gram, kEstimateSteps), block);
  }
  std::stable_sort(estimated.begin(), estimated.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::transform(estimated.begin(), estimated.end(), blocks_.begin(),
                 [](const auto& pair) { return pair.second; });
  return estimated.front().first;
}

}  // namespace lipserve
