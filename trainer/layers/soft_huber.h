// SPDX-License-Identifier: Apache-2.0
// SoftHuber, an absolute value that is smooth at 0.
//
//   forward   y = sqrt(x^2 + delta^2) - delta
//   backward  dx = x / sqrt(x^2 + delta^2) dy
//
// Frozen, it is a chain of plain layers: a channel of the constant delta is put beside each
// channel, the two become the positions of a window, its L2 norm is taken, and delta is subtracted.
//
// Source: orthogonium's SoftHuber, delta (sqrt(1 + (x / delta)^2) - 1).
#ifndef TRAINER_LAYERS_SOFT_HUBER_H_
#define TRAINER_LAYERS_SOFT_HUBER_H_

#include <string>
#include <vector>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x, y: [N, H*W*C], channels last.
// Guarantee: 1-Lipschitz, and the chain is proven to be.
class SoftHuber final : public Layer {
 public:
  // Requires: delta > 0.
  SoftHuber(SampleShape shape, float delta) : shape_(shape), delta_(delta) {}

  std::string type() const override { return "SoftHuber"; }
  SampleShape output_shape() const override { return shape_; }
  void PrepareStep(bool /*training*/) override {}
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override {}
  std::vector<FrozenLayer> FreezeToChain() const override;

 private:
  // Not a single layer; see FreezeToChain.
  FrozenLayer Freeze() const override;

  SampleShape shape_;
  float delta_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_SOFT_HUBER_H_
