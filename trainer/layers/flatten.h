// SPDX-License-Identifier: Apache-2.0
// Flatten: the image [C, H, W] as the vector [C*H*W, 1, 1], in row-major order. It only moves
// values, and not even that if they are in this order already.
#ifndef TRAINER_LAYERS_FLATTEN_H_
#define TRAINER_LAYERS_FLATTEN_H_

#include <string>

#include "model/execution/image_layout.h"
#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// The memory layout of a sample [C, H, W]: row-major in the network's inputs, channels last between
// its layers.
enum class SampleLayout { kRowMajor, kChannelsLast };

// Shapes:    x, y: [N, C*H*W].
// Guarantee: ||y(a) - y(b)||_2 = ||a - b||_2, exact.
class Flatten final : public Layer {
 public:
  Flatten(SampleShape input_shape, SampleLayout layout)
      : shape_(input_shape),
        is_view_(layout == SampleLayout::kRowMajor || HasOneLayout(input_shape)) {}

  std::string type() const override { return "Flatten"; }
  SampleShape output_shape() const override { return {shape_.size(), 1, 1}; }
  bool IsView() const override { return is_view_; }
  void PrepareStep(bool /*training*/) override {}
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override {}
  FrozenLayer Freeze() const override { return FlattenLayer{}; }

 private:
  SampleShape shape_;
  bool is_view_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_FLATTEN_H_
