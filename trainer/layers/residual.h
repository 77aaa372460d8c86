// SPDX-License-Identifier: Apache-2.0
// A residual block around a branch of other layers.
//
//   forward   y = a x + (1 - a) f(x),   a = 1 / (1 + exp(-alpha)) learnt
//   backward  dx = a dy + df^T ((1 - a) dy),   dalpha = a (1 - a) <dy, x - f(x)>
//
// Frozen, it is a chain of plain layers (lifted_branch.h).
//
// Source: He, Zhang, Ren, Sun 2016, arXiv:1512.03385; the convex combination is deel-torchlip's
//         LipResidual and orthogonium's AdditiveResidual.
#ifndef TRAINER_LAYERS_RESIDUAL_H_
#define TRAINER_LAYERS_RESIDUAL_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Guarantee: ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2 if the branch's layers have constants of at
//            most 1, d float32 rounding; the chain is proven to have the same.
class Residual final : public Layer {
 public:
  // Requires: a branch that LiftBranch takes, from `shape` to `shape`; 0 < a < 1.
  Residual(SampleShape shape, std::vector<std::unique_ptr<Layer>> branch, double initial_a);

  std::string type() const override { return "Residual"; }
  SampleShape output_shape() const override { return shape_; }
  void PrepareStep(bool training) override;
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override;
  std::vector<FrozenLayer> FreezeToChain() const override;
  std::vector<Layer*> InnerLayers() const override;
  std::size_t BatchBytes(std::size_t batch) override;

 private:
  // The block is not a single layer; see FreezeToChain.
  FrozenLayer Freeze() const override;

  SampleShape shape_;
  std::vector<std::unique_ptr<Layer>> branch_;
  float a_ = 0.5F;  // of the last PrepareStep
  float alpha_gradient_ = 0.0F;
  std::vector<std::vector<float>> outputs_;  // of the branch's layers
  std::vector<float> gradients_[2];          // with respect to them, in turns
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_RESIDUAL_H_
