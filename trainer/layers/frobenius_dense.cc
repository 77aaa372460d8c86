// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/frobenius_dense.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "trainer/constraints/freezing_rounding.h"
#include "trainer/constraints/inner_product.h"
#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {

FrobeniusDense::FrobeniusDense(std::size_t inputs, const FrobeniusDenseOptions& options,
                               std::mt19937_64& random)
    : Dense(inputs, options.units, options.use_bias,
            RandomOrthogonal(options.units, inputs, random)),
      options_(options),
      inverse_norms_(options.disjoint_neurons ? options.units : 1) {}

void FrobeniusDense::PrepareStep(bool /*training*/) {
  const std::size_t size = group_size();
  for (std::size_t group = 0; group < inverse_norms_.size(); ++group) {
    const std::span<const float> values{kernel().data + group * size, size};
    const float norm = std::sqrt(InnerProduct(values, values));
    inverse_norms_[group] = 1.0F / std::max(norm, kSmallestNorm);
    float* out = weights().data + group * size;
    for (std::size_t i = 0; i < size; ++i) out[i] = values[i] * inverse_norms_[group];
  }
}

void FrobeniusDense::FinishStep() {
  const std::size_t size = group_size();
  for (std::size_t group = 0; group < inverse_norms_.size(); ++group) {
    const std::span<const float> w{weights().data + group * size, size};
    const std::span<const float> dw{weights_gradient().data + group * size, size};
    // Below the smallest norm the divisor is a constant, which has no gradient.
    const bool constant_divisor = inverse_norms_[group] >= 1.0F / kSmallestNorm;
    const float radial = constant_divisor ? 0.0F : InnerProduct(dw, w);
    float* out = kernel_gradient().data + group * size;
    for (std::size_t i = 0; i < size; ++i) {
      out[i] = (dw[i] - radial * w[i]) * inverse_norms_[group];
    }
  }
}

FrozenLayer FrobeniusDense::Freeze() const {
  const std::size_t size = group_size();
  std::vector<double> frozen(kernel().size());
  for (std::size_t group = 0; group < inverse_norms_.size(); ++group) {
    const float* values = kernel().data + group * size;
    double sum_of_squares = 0.0;
    for (std::size_t i = 0; i < size; ++i) {
      const double value = static_cast<double>(values[i]);
      sum_of_squares += value * value;
    }
    const double norm = std::max(std::sqrt(sum_of_squares), static_cast<double>(kSmallestNorm));
    for (std::size_t i = 0; i < size; ++i) {
      frozen[group * size + i] = static_cast<double>(values[i]) / norm;
    }
  }
  return FreezeWith(frozen);
}

}  // namespace lipserve::trainer
