// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/dense.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "model/execution/onednn.h"

namespace lipserve::trainer {
namespace {

using onednn::Gemm;
using onednn::Op;

void SumColumns(ConstMatrixView matrix, std::vector<float>& sums) {
  std::fill(sums.begin(), sums.end(), 0.0F);
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    const float* row = matrix.data + r * matrix.cols;
    for (std::size_t c = 0; c < matrix.cols; ++c) sums[c] += row[c];
  }
}

}  // namespace

float RoundForFreezing(double value) {
  const float rounded = static_cast<float>(value);
  return std::fpclassify(rounded) == FP_SUBNORMAL ? 0.0F : rounded;
}

Dense::Dense(std::size_t inputs, std::size_t outputs, bool use_bias, std::vector<float> kernel)
    : inputs_(inputs),
      outputs_(outputs),
      use_bias_(use_bias),
      weights_(inputs * outputs),
      weights_gradient_(inputs * outputs) {
  const std::size_t size = kernel.size();
  parameters_.push_back({"kernel", std::move(kernel), std::vector<float>(size)});
  if (use_bias) {
    parameters_.push_back({"bias", std::vector<float>(outputs), std::vector<float>(outputs)});
  }
}

void Dense::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == inputs_ && y.cols == outputs_ && x.rows == y.rows);
  if (use_bias_) {
    const std::vector<float>& bias = parameters_[1].values;
    for (std::size_t r = 0; r < y.rows; ++r) {
      std::copy(bias.begin(), bias.end(), y.data + r * outputs_);
    }
  }
  Gemm(Op::kNone, Op::kTranspose, 1.0F, x, effective_weights(), use_bias_ ? 1.0F : 0.0F, y);
}

void Dense::Backward(ConstMatrixView x, ConstMatrixView /*y*/, ConstMatrixView dy, MatrixView dx) {
  assert(x.cols == inputs_ && dy.cols == outputs_ && x.rows == dy.rows);
  const MatrixView gradient{weights_gradient_.data(), outputs_, inputs_};
  Gemm(Op::kTranspose, Op::kNone, 1.0F, dy, x, 0.0F, gradient);
  if (use_bias_) SumColumns(dy, parameters_[1].gradient);
  if (dx.data != nullptr) {
    Gemm(Op::kNone, Op::kNone, 1.0F, dy, effective_weights(), 0.0F, dx);
  }
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
