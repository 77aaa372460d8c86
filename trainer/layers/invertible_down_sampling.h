// SPDX-License-Identifier: Apache-2.0
// InvertibleDownSampling: the positions of each window of h x w become channels,
//
//   y[c h w + u w + v, i, j] = x[c, i h + u, j w + v],
//
// so that nothing is lost and nothing computed. Frozen, it is a convolution whose kernel has a
// single 1 for each output, which float32 computes exactly.
//
// Source: Jacobsen, Smeulders, Oyallon 2018, arXiv:1802.07088; torch's PixelUnshuffle.
#ifndef TRAINER_LAYERS_INVERTIBLE_DOWN_SAMPLING_H_
#define TRAINER_LAYERS_INVERTIBLE_DOWN_SAMPLING_H_

#include <cstddef>
#include <string>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x: [N, H*W*C], y: [N, (H/h)*(W/w)*(C h w)], channels last.
// Guarantee: ||y(a) - y(b)||_2 = ||a - b||_2 and ||dx||_2 = ||dy||_2, exact.
class InvertibleDownSampling final : public Layer {
 public:
  // Requires: the window divides the image along both axes.
  InvertibleDownSampling(SampleShape input, std::size_t window_height, std::size_t window_width);

  std::string type() const override { return "InvertibleDownSampling"; }
  SampleShape output_shape() const override;
  void PrepareStep(bool /*training*/) override {}
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override {}
  FrozenLayer Freeze() const override;

 private:
  // Calls visit(x index, y index) for every number of a sample.
  template <typename Visit>
  void ForEachNumber(Visit visit) const;

  SampleShape input_;
  std::size_t window_height_;
  std::size_t window_width_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_INVERTIBLE_DOWN_SAMPLING_H_
