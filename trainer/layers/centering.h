// SPDX-License-Identifier: Apache-2.0
// Layers that subtract means. They normalise without a division, so their Lipschitz constant is not
// above 1.
//
//   LayerCentering   y = x - mean of the channel over the image + b
//                    dx = dy - mean of dy's channel over the image
//   BatchCentering   y = x - mean of the channel over the batch + b in training, and less the
//                    running mean of those means in evaluation
//                    dx = dy - mean of dy's channel over the batch
//
// Frozen, LayerCentering is a convolution of each channel with a window of the image's size and
// circular padding: 1 - 1/n at the position itself and -1/n at the others. BatchCentering is a
// bias.
//
// Source: deel-torchlip, LayerCentering and BatchCentering; orthogonium, LayerCentering2D and
//         BatchCentering2D.
#ifndef TRAINER_LAYERS_CENTERING_H_
#define TRAINER_LAYERS_CENTERING_H_

#include <cstddef>
#include <string>
#include <vector>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x, y: [N, H*W*C], channels last; b: [C].
// Guarantee: a projection: ||y(a) - y(b)||_2 <= ||a - b||_2 up to float32 rounding.
class LayerCentering final : public Layer {
 public:
  LayerCentering(SampleShape shape, bool use_bias);

  std::string type() const override { return "LayerCentering"; }
  SampleShape output_shape() const override { return shape_; }
  void PrepareStep(bool /*training*/) override {}
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override {}
  FrozenLayer Freeze() const override;

 private:
  SampleShape shape_;
};

// Shapes:    as above.
// Guarantee: in evaluation a shift: ||y(a) - y(b)||_2 = ||a - b||_2 up to float32 rounding.
class BatchCentering final : public Layer {
 public:
  // `momentum`: the weight of a batch's mean in the running mean, in (0, 1].
  BatchCentering(SampleShape shape, bool use_bias, float momentum);

  std::string type() const override { return "BatchCentering"; }
  SampleShape output_shape() const override { return shape_; }
  void PrepareStep(bool training) override { training_ = training; }
  // In training, moves the running mean.
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override {}
  FrozenLayer Freeze() const override;

 private:
  SampleShape shape_;
  float momentum_;
  bool training_ = false;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_CENTERING_H_
