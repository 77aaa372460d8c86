// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/dense.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "trainer/constraints/freezing_rounding.h"

namespace lipserve::trainer {

Dense::Dense(std::size_t inputs, std::size_t outputs, bool use_bias, std::vector<float> kernel)
    : inputs_(inputs),
      outputs_(outputs),
      use_bias_(use_bias),
      map_(MakeLinearMap(
          DenseLayer{.inputs = inputs, .outputs = outputs, .weights = {}, .bias = {}})),
      weights_(inputs * outputs),
      weights_gradient_(inputs * outputs) {
  parameters_.push_back(MakeParameter("kernel", std::move(kernel)));
  if (use_bias) parameters_.push_back(MakeParameter("bias", std::vector<float>(outputs)));
}

void Dense::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == inputs_ && y.cols == outputs_ && x.rows == y.rows);
  map_->Forward(x.rows, x.data, weights_.data(), use_bias_ ? parameters_[1].values.data() : nullptr,
                y.data);
}

void Dense::Backward(ConstMatrixView x, ConstMatrixView /*y*/, ConstMatrixView dy, MatrixView dx) {
  assert(x.cols == inputs_ && dy.cols == outputs_ && x.rows == dy.rows);
  map_->BackwardWeights(x.rows, x.data, dy.data, weights_gradient_.data(),
                        use_bias_ ? parameters_[1].gradient.data() : nullptr);
  if (dx.data != nullptr) map_->BackwardData(x.rows, dy.data, weights_.data(), dx.data);
}

void Dense::AddToWeightsGradient(ConstMatrixView gradient) {
  assert(gradient.rows == outputs_ && gradient.cols == inputs_);
  for (std::size_t i = 0; i < weights_gradient_.size(); ++i)
    weights_gradient_[i] += gradient.data[i];
}

FrozenLayer Dense::FreezeWith(const std::vector<double>& weights) const {
  DenseLayer frozen;
  frozen.inputs = inputs_;
  frozen.outputs = outputs_;
  frozen.weights.resize(weights.size());
  std::transform(weights.begin(), weights.end(), frozen.weights.begin(), RoundForFreezing);
  if (use_bias_) {
    frozen.bias.resize(outputs_);
    std::transform(parameters_[1].values.begin(), parameters_[1].values.end(), frozen.bias.begin(),
                   [](float value) { return RoundForFreezing(static_cast<double>(value)); });
  }
  return frozen;
}

}  // namespace lipserve::trainer
