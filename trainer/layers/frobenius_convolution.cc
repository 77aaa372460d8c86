// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/frobenius_convolution.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "trainer/constraints/freezing_rounding.h"
#include "trainer/constraints/inner_product.h"

namespace lipserve::trainer {
namespace {

std::span<const float> Flat(ConstMatrixView matrix) { return {matrix.data, matrix.size()}; }

}  // namespace

FrobeniusConvolution::FrobeniusConvolution(const ConvolutionLayer& geometry, bool use_bias,
                                           std::mt19937_64& random)
    : Convolution(geometry, use_bias, RandomKernels(geometry, random)),
      inverse_norms_(geometry.groups) {}

void FrobeniusConvolution::PrepareStep(bool /*training*/) {
  for (std::size_t g = 0; g < inverse_norms_.size(); ++g) {
    const std::span<const float> k = Flat(kernel(g));
    inverse_norms_[g] = 1.0F / std::max(std::sqrt(InnerProduct(k, k)), kSmallestNorm);
    const float scale = inverse_norms_[g] * static_cast<float>(safe_norm());
    std::transform(k.begin(), k.end(), weights(g).data, [scale](float x) { return x * scale; });
  }
}

void FrobeniusConvolution::FinishStep() {
  for (std::size_t g = 0; g < inverse_norms_.size(); ++g) {
    const std::span<const float> k = Flat(kernel(g));
    const std::span<const float> dw = Flat(weights_gradient(g));
    const float inverse = inverse_norms_[g];
    // Below the smallest norm the divisor is a constant, which has no gradient.
    const bool constant_divisor = inverse >= 1.0F / kSmallestNorm;
    const float radial = constant_divisor ? 0.0F : InnerProduct(dw, k) * inverse * inverse;
    const float scale = inverse * static_cast<float>(safe_norm());
    float* out = kernel_gradient(g).data;
    for (std::size_t i = 0; i < k.size(); ++i) out[i] = (dw[i] - radial * k[i]) * scale;
  }
}

FrozenLayer FrobeniusConvolution::Freeze() const {
  std::vector<double> frozen;
  for (std::size_t g = 0; g < inverse_norms_.size(); ++g) {
    const std::span<const float> k = Flat(kernel(g));
    double sum_of_squares = 0.0;
    for (const float x : k) sum_of_squares += static_cast<double>(x) * static_cast<double>(x);
    const double norm = std::max(std::sqrt(sum_of_squares), static_cast<double>(kSmallestNorm));
    for (const float x : k) frozen.push_back(static_cast<double>(x) / norm * safe_norm());
  }
  return FreezeWith(frozen);
}

}  // namespace lipserve::trainer
