// SPDX-License-Identifier: Apache-2.0
// Base class of the dense layers: the affine map by the effective weights. Each derived layer
// computes the weights from its trained kernel.
//
//   forward   y = x W^T + b
//   backward  dx = dy W,   dW = dy^T x,   db = column sums of dy
#ifndef TRAINER_LAYERS_DENSE_H_
#define TRAINER_LAYERS_DENSE_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "trainer/constraints/linear_map.h"
#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes: x: [N, inputs], y: [N, outputs], W: [outputs, inputs], b: [outputs].
class Dense : public Layer {
 public:
  SampleShape output_shape() const final { return {outputs_, 1, 1}; }
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  std::size_t BatchBytes(std::size_t batch) final { return map_->BatchBytes(batch); }

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }

  // The W of the last PrepareStep.
  ConstMatrixView effective_weights() const { return {weights_.data(), outputs_, inputs_}; }

  // Between Backward and FinishStep: adds a gradient with respect to W that does not come through
  // y, such as that of a loss that depends on W itself.
  void AddToWeightsGradient(ConstMatrixView gradient);

 protected:
  // `kernel`: the initial values of the parameter "kernel", [outputs, inputs] unless the layer
  // makes its weights of one of another shape. The parameter "bias" starts at 0.
  Dense(std::size_t inputs, std::size_t outputs, bool use_bias, std::vector<float> kernel);

  // For kernels of shape [outputs, inputs].
  ConstMatrixView kernel() const { return {parameters_[0].values.data(), outputs_, inputs_}; }
  MatrixView kernel_gradient() { return {parameters_[0].gradient.data(), outputs_, inputs_}; }
  MatrixView weights() { return {weights_.data(), outputs_, inputs_}; }
  ConstMatrixView weights_gradient() const { return {weights_gradient_.data(), outputs_, inputs_}; }
  // For layers that override Backward.
  MatrixView mutable_weights_gradient() { return {weights_gradient_.data(), outputs_, inputs_}; }

  // The product, for any weights.
  LinearMap& map() { return *map_; }

  // The frozen layer with float64 `weights`, [outputs, inputs], and the bias, rounded to float32.
  FrozenLayer FreezeWith(const std::vector<double>& weights) const;

 private:
  std::size_t inputs_;
  std::size_t outputs_;
  bool use_bias_;
  std::unique_ptr<LinearMap> map_;
  std::vector<float> weights_;
  std::vector<float> weights_gradient_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_DENSE_H_
