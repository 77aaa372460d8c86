// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/aol_map.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "model/execution/onednn.h"
#include "trainer/constraints/freezing_rounding.h"

namespace lipserve::trainer {

using onednn::Gemm;
using onednn::Op;

namespace {

// The gradient of `value`, given that of its magnitude.
float GradientOfMagnitude(float value, float gradient) {
  const float signed_gradient = value < 0.0F ? -gradient : gradient;
  return value == 0.0F ? 0.0F : signed_gradient;
}

}  // namespace

AolMap::AolMap(std::size_t rows, std::size_t channels, const WindowAxis& vertical,
               const WindowAxis& horizontal)
    : rows_(rows),
      correlation_(channels, vertical, horizontal),
      gram_(correlation_.side() * correlation_.side()) {}

template <typename Number>
AolMap::Scales<Number> AolMap::ScalesOf(std::span<const Number> sums) const {
  Scales<Number> scales;
  for (std::size_t i = 0; i < correlation_.channels(); ++i) {
    Number largest{0};
    std::size_t phase_of_largest = 0;
    for (std::size_t phase = 0; phase < correlation_.phases(); ++phase) {
      Number row_sum{0};
      for (std::size_t j = 0; j < correlation_.channels(); ++j) {
        for (const Number sum : correlation_.SumsOf(sums, i, j, phase)) row_sum += std::abs(sum);
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
  const std::size_t side = correlation_.side();
  assert(kernel.rows == rows_ && kernel.cols == side);
  Gemm(Op::kTranspose, Op::kNone, 1.0F, kernel, kernel, 0.0F, {gram_.data(), side, side});
  sums_ = correlation_.Sums(gram_);
  scales_ = ScalesOf(std::span<const float>(sums_));
  const std::size_t taps = correlation_.taps();
  for (std::size_t r = 0; r < rows_; ++r) {
    for (std::size_t a = 0; a < side; ++a) {
      weights.data[r * side + a] = kernel.data[r * side + a] * scales_.scale[a / taps];
    }
  }
}

void AolMap::SumsToGradients(std::span<const float> scale_gradient) {
  for (std::size_t i = 0; i < correlation_.channels(); ++i) {
    const float t = scales_.scale[i];
    // Below the smallest norm the scale is a constant, which has no gradient.
    const float row_gradient =
        t * kSmallestNorm >= 1.0F ? 0.0F : -0.5F * t * t * t * scale_gradient[i];
    for (std::size_t j = 0; j < correlation_.channels(); ++j) {
      for (std::size_t phase = 0; phase < correlation_.phases(); ++phase) {
        const float gradient = phase == scales_.phase[i] ? row_gradient : 0.0F;
        for (float& sum : correlation_.SumsOf(std::span(sums_), i, j, phase)) {
          sum = GradientOfMagnitude(sum, gradient);
        }
      }
    }
  }
}

void AolMap::Backward(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                      MatrixView kernel_gradient) {
  const std::size_t side = correlation_.side();
  const std::size_t taps = correlation_.taps();
  std::vector<float> scale_gradient(correlation_.channels(), 0.0F);
  for (std::size_t r = 0; r < rows_; ++r) {
    for (std::size_t a = 0; a < side; ++a) {
      const float gradient = weights_gradient.data[r * side + a];
      scale_gradient[a / taps] += gradient * kernel.data[r * side + a];
      kernel_gradient.data[r * side + a] = gradient * scales_.scale[a / taps];
    }
  }
  SumsToGradients(scale_gradient);
  correlation_.Backward(sums_, gram_);
  const MatrixView m{gram_.data(), side, side};
  Gemm(Op::kNone, Op::kNone, 1.0F, kernel, m, 1.0F, kernel_gradient);
  Gemm(Op::kNone, Op::kTranspose, 1.0F, kernel, m, 1.0F, kernel_gradient);
}

std::vector<double> AolMap::Freeze(ConstMatrixView kernel) const {
  const std::vector<double> sums = correlation_.Sums(Gram64(kernel));
  const std::vector<double> scale = ScalesOf(std::span<const double>(sums)).scale;
  std::vector<double> weights;
  weights.reserve(kernel.size());
  for (std::size_t r = 0; r < kernel.rows; ++r) {
    for (std::size_t a = 0; a < kernel.cols; ++a) {
      weights.push_back(static_cast<double>(kernel.row(r)[a]) * scale[a / correlation_.taps()]);
    }
  }
  return weights;
}

}  // namespace lipserve::trainer
