// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/spectral_dense.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "model/execution/onednn.h"
#include "trainer/layers/inner_product.h"
#include "trainer/layers/polar_factor.h"
#include "trainer/layers/random_orthogonal.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

// A random direction for the power iteration to start from.
std::vector<float> RandomUnitVector(std::size_t size, std::mt19937_64& random) {
  return RandomOrthogonal(1, size, random);
}

}  // namespace

SpectralDense::SpectralDense(std::size_t inputs, const SpectralDenseOptions& options,
                             std::mt19937_64& random)
    : Dense(inputs, options.units, options.use_bias,
            RandomOrthogonal(options.units, inputs, random)),
      options_(options),
      bjorck_(side(), options.bjorck),
      gram_(side() * side()),
      polynomial_gradient_(side() * side()),
      evaluation_u_(side()),
      gram_times_u_(side()) {
  for (float& value : parameters_[0].values) value *= options.initial_scale;
  states_.push_back({"u", RandomUnitVector(side(), random)});
}

void SpectralDense::PrepareStep(bool training) {
  if (wide()) {
    Gemm(Op::kNone, Op::kTranspose, 1.0F, kernel(), kernel(), 0.0F, View(gram_));
  } else {
    Gemm(Op::kTranspose, Op::kNone, 1.0F, kernel(), kernel(), 0.0F, View(gram_));
  }
  std::vector<float>& state = states_[0].values;
  if (!training) evaluation_u_ = state;
  sigma_ = EstimateSigma(training ? state : evaluation_u_);
  const float inverse = 1.0F / sigma_;
  polynomial_ = bjorck_.Forward(View(gram_), inverse * inverse);
  if (wide()) {
    Gemm(Op::kNone, Op::kNone, inverse, polynomial_, kernel(), 0.0F, weights());
  } else {
    Gemm(Op::kNone, Op::kNone, inverse, kernel(), polynomial_, 0.0F, weights());
  }
}

float SpectralDense::EstimateSigma(std::vector<float>& u) {
  const auto multiply = [this, &u] {
    for (std::size_t r = 0; r < side(); ++r) {
      gram_times_u_[r] = InnerProduct(std::span{gram_}.subspan(r * side(), side()), u);
    }
  };
  for (std::size_t iteration = 0; iteration < options_.power_iterations; ++iteration) {
    multiply();
    const float norm = std::sqrt(InnerProduct(gram_times_u_, gram_times_u_));
    if (norm == 0.0F) break;
    for (std::size_t i = 0; i < u.size(); ++i) u[i] = gram_times_u_[i] / norm;
  }
  multiply();
  return std::max(std::sqrt(InnerProduct(u, gram_times_u_)), kSmallestNorm);
}

void SpectralDense::FinishStep() {
  const float inverse = 1.0F / sigma_;
  const MatrixView polynomial_gradient = View(polynomial_gradient_);
  const MatrixView out = kernel_gradient();
  if (wide()) {
    Gemm(Op::kNone, Op::kTranspose, inverse, weights_gradient(), kernel(), 0.0F,
         polynomial_gradient);
    const ConstMatrixView defect_gradient = bjorck_.Backward(polynomial_gradient);
    Gemm(Op::kNone, Op::kNone, inverse, polynomial_, weights_gradient(), 0.0F, out);
    Gemm(Op::kNone, Op::kNone, -2.0F * inverse * inverse, defect_gradient, kernel(), 1.0F, out);
  } else {
    Gemm(Op::kTranspose, Op::kNone, inverse, kernel(), weights_gradient(), 0.0F,
         polynomial_gradient);
    const ConstMatrixView defect_gradient = bjorck_.Backward(polynomial_gradient);
    Gemm(Op::kNone, Op::kNone, inverse, weights_gradient(), polynomial_, 0.0F, out);
    Gemm(Op::kNone, Op::kNone, -2.0F * inverse * inverse, kernel(), defect_gradient, 1.0F, out);
  }
}

FrozenLayer SpectralDense::Freeze() const { return FreezeWith(PolarFactor(kernel())); }

}  // namespace lipserve::trainer
