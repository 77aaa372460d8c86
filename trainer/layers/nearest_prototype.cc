// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/nearest_prototype.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <span>

#include "model/execution/onednn.h"
#include "trainer/constraints/freezing_rounding.h"
#include "trainer/constraints/inner_product.h"
#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {
namespace {

std::vector<float> RandomPrototypes(std::size_t count, std::size_t inputs,
                                    std::mt19937_64& random) {
  const double deviation = 1.0 / std::sqrt(static_cast<double>(inputs));
  std::vector<float> values(count * inputs);
  for (float& value : values) value = static_cast<float>(deviation * StandardNormal(random));
  return values;
}

float FrozenOffset(std::span<const float> prototype) {
  double squares = 0.0;
  for (const float p : prototype) squares += static_cast<double>(p) * static_cast<double>(p);
  return RoundForFreezing(-0.5 * squares);
}

}  // namespace

NearestPrototype::NearestPrototype(std::size_t inputs, const NearestPrototypeOptions& options,
                                   std::mt19937_64& random)
    : Dense(inputs, options.prototypes(), /*use_bias=*/false,
            RandomPrototypes(options.prototypes(), inputs, random)),
      options_(options),
      offsets_(options.prototypes()) {}

void NearestPrototype::PrepareStep(bool /*training*/) {
  std::copy_n(kernel().data, kernel().size(), weights().data);
  for (std::size_t r = 0; r < outputs(); ++r) {
    offsets_[r] = -0.5F * InnerProduct(kernel().row(r), kernel().row(r));
  }
}

void NearestPrototype::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == inputs() && y.cols == outputs() && x.rows == y.rows);
  for (std::size_t n = 0; n < y.rows; ++n) {
    std::copy(offsets_.begin(), offsets_.end(), y.row(n).begin());
  }
  onednn::Gemm(onednn::Op::kNone, onednn::Op::kTranspose, 1.0F, x, effective_weights(), 1.0F, y);
}

void NearestPrototype::Backward(ConstMatrixView x, ConstMatrixView /*y*/, ConstMatrixView dy,
                                MatrixView dx) {
  assert(x.cols == inputs() && dy.cols == outputs() && x.rows == dy.rows);
  const MatrixView gradient = mutable_weights_gradient();
  std::fill_n(gradient.data, gradient.size(), 0.0F);
  if (dx.data != nullptr) std::fill_n(dx.data, dx.size(), 0.0F);
  for (std::size_t n = 0; n < x.rows; ++n) {
    const std::span<const float> sample = x.row(n);
    const std::span<const float> slopes = dy.row(n);
    for (std::size_t r = 0; r < outputs(); ++r) {
      const float slope = slopes[r];
      if (slope == 0.0F) continue;
      const std::span<const float> prototype = effective_weights().row(r);
      const std::span<float> out = gradient.row(r);
      for (std::size_t k = 0; k < inputs(); ++k) out[k] += slope * (sample[k] - prototype[k]);
      if (dx.data == nullptr) continue;
      const std::span<float> back = dx.row(n);
      for (std::size_t k = 0; k < inputs(); ++k) back[k] += slope * prototype[k];
    }
  }
}

void NearestPrototype::FinishStep() {
  std::copy_n(weights_gradient().data, weights_gradient().size(), kernel_gradient().data);
}

FrozenLayer NearestPrototype::Freeze() const {
  FrozenLayer frozen = FreezeWith({kernel().data, kernel().data + kernel().size()});
  auto& dense = std::get<DenseLayer>(frozen);
  dense.bias.resize(outputs());
  // Computed from the rounded prototypes, so that the nearest one has the largest score.
  for (std::size_t r = 0; r < outputs(); ++r) {
    dense.bias[r] = FrozenOffset(std::span(dense.weights).subspan(r * inputs(), inputs()));
  }
  return frozen;
}

}  // namespace lipserve::trainer
