// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/aol_map.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "model/execution/onednn.h"
#include "trainer/layers/dense.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

// K^T K in float64.
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

}  // namespace

AolMap::AolMap(std::size_t rows, std::size_t channels, const WindowAxis& vertical,
               const WindowAxis& horizontal)
    : rows_(rows),
      channels_(channels),
      taps_(vertical.size * horizontal.size),
      phases_(vertical.stride * horizontal.stride),
      displacements_((2 * vertical.size - 1) * (2 * horizontal.size - 1)),
      displacement_of_(taps_ * taps_),
      gram_(channels * taps_ * channels * taps_) {
  for (std::size_t u = 0; u < taps_; ++u) {
    const std::size_t row = u / horizontal.size;
    const std::size_t column = u % horizontal.size;
    phase_of_.push_back(row * vertical.dilation % vertical.stride * horizontal.stride +
                        column * horizontal.dilation % horizontal.stride);
    for (std::size_t w = 0; w < taps_; ++w) {
      const std::size_t down = w / horizontal.size + vertical.size - 1 - row;
      const std::size_t right = w % horizontal.size + horizontal.size - 1 - column;
      displacement_of_[u * taps_ + w] = down * (2 * horizontal.size - 1) + right;
    }
  }
}

template <typename Number>
std::vector<Number> AolMap::SumPairs(const std::vector<Number>& gram) const {
  const std::size_t side = channels_ * taps_;
  std::vector<Number> sums(channels_ * channels_ * phases_ * displacements_, Number{0});
  for (std::size_t i = 0; i < channels_; ++i) {
    for (std::size_t u = 0; u < taps_; ++u) {
      const Number* row = &gram[(i * taps_ + u) * side];
      for (std::size_t j = 0; j < channels_; ++j) {
        Number* to = &sums[Sum(i, j) + phase_of_[u] * displacements_];
        for (std::size_t w = 0; w < taps_; ++w) {
          to[displacement_of_[u * taps_ + w]] += row[j * taps_ + w];
        }
      }
    }
  }
  return sums;
}

template <typename Number>
AolMap::Scales<Number> AolMap::ScalesOf(const std::vector<Number>& sums) const {
  Scales<Number> scales;
  for (std::size_t i = 0; i < channels_; ++i) {
    Number largest{0};
    std::size_t phase_of_largest = 0;
    for (std::size_t phase = 0; phase < phases_; ++phase) {
      Number row_sum{0};
      for (std::size_t j = 0; j < channels_; ++j) {
        const Number* pairs = &sums[Sum(i, j) + phase * displacements_];
        for (std::size_t d = 0; d < displacements_; ++d) row_sum += std::abs(pairs[d]);
      }
      if (row_sum > largest) {
        largest = row_sum;
        phase_of_largest = phase;
      }
    }
    constexpr auto kSmallest = static_cast<Number>(kSmallestNorm);
    scales.scale.push_back(1 / std::sqrt(std::max(largest, kSmallest * kSmallest)));
    scales.phase.push_back(phase_of_largest);
  }
  return scales;
}

void AolMap::Forward(ConstMatrixView kernel, MatrixView weights) {
  const std::size_t side = channels_ * taps_;
  assert(kernel.rows == rows_ && kernel.cols == side);
  Gemm(Op::kTranspose, Op::kNone, 1.0F, kernel, kernel, 0.0F, {gram_.data(), side, side});
  sums_ = SumPairs(gram_);
  scales_ = ScalesOf(sums_);
  for (std::size_t r = 0; r < rows_; ++r) {
    for (std::size_t a = 0; a < side; ++a) {
      weights.data[r * side + a] = kernel.data[r * side + a] * scales_.scale[a / taps_];
    }
  }
}

void AolMap::Backward(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                      MatrixView kernel_gradient) {
  const std::size_t side = channels_ * taps_;
  std::vector<float> scale_gradient(channels_, 0.0F);
  for (std::size_t r = 0; r < rows_; ++r) {
    for (std::size_t a = 0; a < side; ++a) {
      const float gradient = weights_gradient.data[r * side + a];
      scale_gradient[a / taps_] += gradient * kernel.data[r * side + a];
      kernel_gradient.data[r * side + a] = gradient * scales_.scale[a / taps_];
    }
  }
  std::fill(gram_.begin(), gram_.end(), 0.0F);
  for (std::size_t i = 0; i < channels_; ++i) {
    const float t = scales_.scale[i];
    // Below the smallest norm the scale is a constant, which has no gradient.
    if (t * kSmallestNorm >= 1.0F) continue;
    const float sum_gradient = -0.5F * t * t * t * scale_gradient[i];
    for (std::size_t u = 0; u < taps_; ++u) {
      if (phase_of_[u] != scales_.phase[i]) continue;
      float* row = &gram_[(i * taps_ + u) * side];
      for (std::size_t j = 0; j < channels_; ++j) {
        const float* pairs = &sums_[Sum(i, j) + phase_of_[u] * displacements_];
        for (std::size_t w = 0; w < taps_; ++w) {
          const float sum = pairs[displacement_of_[u * taps_ + w]];
          row[j * taps_ + w] = sum == 0.0F ? 0.0F : std::copysign(sum_gradient, sum_gradient * sum);
        }
      }
    }
  }
  const MatrixView m{gram_.data(), side, side};
  Gemm(Op::kNone, Op::kNone, 1.0F, kernel, m, 1.0F, kernel_gradient);
  Gemm(Op::kNone, Op::kTranspose, 1.0F, kernel, m, 1.0F, kernel_gradient);
}

std::vector<double> AolMap::Freeze(ConstMatrixView kernel) const {
  const std::vector<double> scale = ScalesOf(SumPairs(Gram64(kernel))).scale;
  std::vector<double> weights;
  weights.reserve(kernel.size());
  for (std::size_t r = 0; r < kernel.rows; ++r) {
    for (std::size_t a = 0; a < kernel.cols; ++a) {
      weights.push_back(static_cast<double>(kernel.row(r)[a]) * scale[a / taps_]);
    }
  }
  return weights;
}

}  // namespace lipserve::trainer
