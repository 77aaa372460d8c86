// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/bjorck_map.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "model/execution/onednn.h"
#include "trainer/constraints/freezing_rounding.h"
#include "trainer/constraints/inner_product.h"
#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {

using onednn::Gemm;
using onednn::Op;

BjorckMap::BjorckMap(std::size_t rows, std::size_t cols, const BjorckMapOptions& options)
    : rows_(rows),
      cols_(cols),
      power_iterations_(options.power_iterations),
      bjorck_(side(), options.bjorck),
      gram_(side() * side()),
      polynomial_gradient_(side() * side()),
      gram_times_u_(side()) {}

std::vector<float> BjorckMap::InitialVector(std::mt19937_64& random) const {
  return RandomOrthogonal(1, side(), random);
}

void BjorckMap::Forward(ConstMatrixView kernel, std::span<float> u, MatrixView weights) {
  assert(kernel.rows == rows_ && kernel.cols == cols_ && u.size() == side());
  if (wide()) {
    Gemm(Op::kNone, Op::kTranspose, 1.0F, kernel, kernel, 0.0F, View(gram_));
  } else {
    Gemm(Op::kTranspose, Op::kNone, 1.0F, kernel, kernel, 0.0F, View(gram_));
  }
  sigma_ = EstimateSigma(u);
  const float inverse = 1.0F / sigma_;
  polynomial_ = bjorck_.Forward(View(gram_), inverse * inverse);
  if (wide()) {
    Gemm(Op::kNone, Op::kNone, inverse, polynomial_, kernel, 0.0F, weights);
  } else {
    Gemm(Op::kNone, Op::kNone, inverse, kernel, polynomial_, 0.0F, weights);
  }
}

float BjorckMap::EstimateSigma(std::span<float> u) {
  const auto multiply = [this, u] {
    for (std::size_t r = 0; r < side(); ++r) {
      gram_times_u_[r] = InnerProduct(std::span{gram_}.subspan(r * side(), side()), u);
    }
  };
  for (std::size_t iteration = 0; iteration < power_iterations_; ++iteration) {
    multiply();
    const float norm = std::sqrt(InnerProduct(gram_times_u_, gram_times_u_));
    if (norm == 0.0F) break;
    for (std::size_t i = 0; i < u.size(); ++i) u[i] = gram_times_u_[i] / norm;
  }
  multiply();
  return std::max(std::sqrt(InnerProduct(u, gram_times_u_)), kSmallestNorm);
}

void BjorckMap::Backward(ConstMatrixView kernel, ConstMatrixView weights_gradient,
                         MatrixView kernel_gradient) {
  const float inverse = 1.0F / sigma_;
  const MatrixView polynomial_gradient = View(polynomial_gradient_);
  if (wide()) {
    Gemm(Op::kNone, Op::kTranspose, inverse, weights_gradient, kernel, 0.0F, polynomial_gradient);
    const ConstMatrixView defect_gradient = bjorck_.Backward(polynomial_gradient);
    Gemm(Op::kNone, Op::kNone, inverse, polynomial_, weights_gradient, 0.0F, kernel_gradient);
    Gemm(Op::kNone, Op::kNone, -2.0F * inverse * inverse, defect_gradient, kernel, 1.0F,
         kernel_gradient);
  } else {
    Gemm(Op::kTranspose, Op::kNone, inverse, kernel, weights_gradient, 0.0F, polynomial_gradient);
    const ConstMatrixView defect_gradient = bjorck_.Backward(polynomial_gradient);
    Gemm(Op::kNone, Op::kNone, inverse, weights_gradient, polynomial_, 0.0F, kernel_gradient);
    Gemm(Op::kNone, Op::kNone, -2.0F * inverse * inverse, kernel, defect_gradient, 1.0F,
         kernel_gradient);
  }
}

}  // namespace lipserve::trainer
