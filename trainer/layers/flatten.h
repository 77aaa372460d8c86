// SPDX-License-Identifier: Apache-2.0
// Flatten: views [C, H, W] as the vector [C*H*W, 1, 1]. It moves nothing.
#ifndef TRAINER_LAYERS_FLATTEN_H_
#define TRAINER_LAYERS_FLATTEN_H_

#include <string>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x, y: [N, C*H*W]; y may be x.
// Guarantee: ||y(a) - y(b)||_2 = ||a - b||_2, exact.
class Flatten final : public Layer {
 public:
  explicit Flatten(SampleShape input_shape) : size_(input_shape.size()) {}

  std::string type() const override { return "Flatten"; }
  SampleShape output_shape() const override { return {size_, 1, 1}; }
  bool IsView() const override { return true; }
  void PrepareStep(bool /*training*/) override {}
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override {}
  FrozenLayer Freeze() const override { return FlattenLayer{}; }

 private:
  std::size_t size_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_FLATTEN_H_
