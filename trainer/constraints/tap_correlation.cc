// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/tap_correlation.h"

#include <cassert>

namespace lipserve::trainer {

std::vector<double> Gram64(ConstMatrixView kernel) {
  std::vector<double> gram(kernel.cols * kernel.cols, 0.0);
  for (std::size_t r = 0; r < kernel.rows; ++r) {
    const std::span<const float> row = kernel.row(r);
    for (std::size_t a = 0; a < kernel.cols; ++a) {
      const double value = static_cast<double>(row[a]);
      if (value == 0.0) continue;
      double* out = &gram[a * kernel.cols];
      for (std::size_t b = 0; b < kernel.cols; ++b) out[b] += value * static_cast<double>(row[b]);
    }
  }
  return gram;
}

TapCorrelation::TapCorrelation(std::size_t channels, const WindowAxis& vertical,
                               const WindowAxis& horizontal)
    : channels_(channels),
      taps_(vertical.size * horizontal.size),
      phases_(vertical.stride * horizontal.stride),
      displacements_((2 * vertical.size - 1) * (2 * horizontal.size - 1)),
      place_of_(taps_ * taps_) {
  for (std::size_t u = 0; u < taps_; ++u) {
    const std::size_t row = u / horizontal.size;
    const std::size_t column = u % horizontal.size;
    const std::size_t phase = row * vertical.dilation % vertical.stride * horizontal.stride +
                              column * horizontal.dilation % horizontal.stride;
    for (std::size_t w = 0; w < taps_; ++w) {
      const std::size_t down = w / horizontal.size + vertical.size - 1 - row;
      const std::size_t right = w % horizontal.size + horizontal.size - 1 - column;
      place_of_[u * taps_ + w] = phase * displacements_ + down * (2 * horizontal.size - 1) + right;
    }
  }
}

template <typename Number>
std::vector<Number> TapCorrelation::Sums(const std::vector<Number>& gram) const {
  assert(gram.size() == side() * side());
  const std::size_t places = phases_ * displacements_;
  std::vector<Number> sums(channels_ * channels_ * places, Number{0});
  for (std::size_t i = 0; i < channels_; ++i) {
    for (std::size_t u = 0; u < taps_; ++u) {
      const Number* row = &gram[(i * taps_ + u) * side()];
      for (std::size_t j = 0; j < channels_; ++j) {
        Number* const to = &sums[(i * channels_ + j) * places];
        for (std::size_t w = 0; w < taps_; ++w) to[place_of_[u * taps_ + w]] += row[j * taps_ + w];
      }
    }
  }
  return sums;
}

void TapCorrelation::Backward(const std::vector<float>& sums_gradient,
                              std::vector<float>& gram_gradient) const {
  assert(gram_gradient.size() == side() * side());
  const std::size_t places = phases_ * displacements_;
  for (std::size_t i = 0; i < channels_; ++i) {
    for (std::size_t u = 0; u < taps_; ++u) {
      float* const row = &gram_gradient[(i * taps_ + u) * side()];
      for (std::size_t j = 0; j < channels_; ++j) {
        const float* const from = &sums_gradient[(i * channels_ + j) * places];
        for (std::size_t w = 0; w < taps_; ++w) row[j * taps_ + w] = from[place_of_[u * taps_ + w]];
      }
    }
  }
}

template std::vector<float> TapCorrelation::Sums(const std::vector<float>&) const;
template std::vector<double> TapCorrelation::Sums(const std::vector<double>&) const;

}  // namespace lipserve::trainer
