// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/sll_scale.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "model/execution/onednn.h"

namespace lipserve::trainer {

using onednn::Gemm;
using onednn::Op;

namespace {

// t from the sums of the Gram matrix.
template <typename Number, typename Result>
void SumRows(const TapCorrelation& correlation, std::span<const Number> sums,
             std::span<const float> log_q, std::span<Result> t) {
  for (std::size_t i = 0; i < t.size(); ++i) {
    Number row_sum{0};
    for (std::size_t j = 0; j < t.size(); ++j) {
      Number magnitudes{0};
      for (const Number sum : correlation.SumsOf(sums, i, j, 0)) magnitudes += std::abs(sum);
      row_sum +=
          magnitudes * std::exp(static_cast<Number>(log_q[j]) - static_cast<Number>(log_q[i]));
    }
    t[i] = row_sum;
  }
}

}  // namespace

SllScale::SllScale(std::size_t outputs, std::size_t inputs, const WindowAxis& vertical,
                   const WindowAxis& horizontal)
    : inputs_(inputs),
      correlation_(outputs, vertical, horizontal),
      transposed_(inputs * correlation_.side()),
      transposed_gradient_(transposed_.size()),
      gram_(correlation_.side() * correlation_.side()) {
  assert(vertical.stride == 1 && horizontal.stride == 1);
}

void SllScale::TransposeTaps(ConstMatrixView kernel, std::vector<float>& transposed) const {
  const std::size_t taps = correlation_.taps();
  assert(kernel.rows == correlation_.channels() && kernel.cols == inputs_ * taps);
  for (std::size_t o = 0; o < kernel.rows; ++o) {
    for (std::size_t c = 0; c < inputs_; ++c) {
      std::copy_n(kernel.data + (o * inputs_ + c) * taps, taps,
                  transposed.data() + (c * kernel.rows + o) * taps);
    }
  }
}

void SllScale::Forward(ConstMatrixView kernel, std::span<const float> log_q, std::span<float> t) {
  TransposeTaps(kernel, transposed_);
  const std::size_t side = correlation_.side();
  const ConstMatrixView transposed{transposed_.data(), inputs_, side};
  Gemm(Op::kTranspose, Op::kNone, 1.0F, transposed, transposed, 0.0F, {gram_.data(), side, side});
  sums_ = correlation_.Sums(gram_);
  SumRows(correlation_, std::span<const float>(sums_), log_q, t);
}

void SllScale::Backward(ConstMatrixView kernel, std::span<const float> log_q,
                        std::span<const float> t, std::span<const float> t_gradient,
                        MatrixView kernel_gradient, std::span<float> log_q_gradient) {
  const std::size_t outputs = correlation_.channels();
  for (std::size_t i = 0; i < outputs; ++i) log_q_gradient[i] = -t_gradient[i] * t[i];
  // sums_ become their own gradients.
  for (std::size_t i = 0; i < outputs; ++i) {
    for (std::size_t j = 0; j < outputs; ++j) {
      const float gradient = t_gradient[i] * std::exp(log_q[j] - log_q[i]);
      float magnitudes = 0.0F;
      for (float& sum : correlation_.SumsOf(std::span(sums_), i, j, 0)) {
        magnitudes += std::abs(sum);
        const float signed_gradient = sum < 0.0F ? -gradient : gradient;
        sum = sum == 0.0F ? 0.0F : signed_gradient;
      }
      log_q_gradient[j] += gradient * magnitudes;
    }
  }
  correlation_.Backward(sums_, gram_);
  const std::size_t side = correlation_.side();
  const ConstMatrixView transposed{transposed_.data(), inputs_, side};
  const ConstMatrixView gram_gradient{gram_.data(), side, side};
  const MatrixView by_input_gradient{transposed_gradient_.data(), inputs_, side};
  Gemm(Op::kNone, Op::kNone, 1.0F, transposed, gram_gradient, 0.0F, by_input_gradient);
  Gemm(Op::kNone, Op::kTranspose, 1.0F, transposed, gram_gradient, 1.0F, by_input_gradient);
  const std::size_t taps = correlation_.taps();
  for (std::size_t o = 0; o < kernel.rows; ++o) {
    for (std::size_t c = 0; c < inputs_; ++c) {
      const float* const from = &transposed_gradient_[(c * kernel.rows + o) * taps];
      float* const to = kernel_gradient.data + (o * inputs_ + c) * taps;
      for (std::size_t u = 0; u < taps; ++u) to[u] += from[u];
    }
  }
}

std::vector<double> SllScale::Freeze(ConstMatrixView kernel, std::span<const float> log_q) const {
  std::vector<float> transposed(transposed_.size());
  TransposeTaps(kernel, transposed);
  const std::vector<double> sums =
      correlation_.Sums(Gram64({transposed.data(), inputs_, correlation_.side()}));
  std::vector<double> t(kernel.rows);
  SumRows(correlation_, std::span<const double>(sums), log_q, std::span(t));
  return t;
}

}  // namespace lipserve::trainer
