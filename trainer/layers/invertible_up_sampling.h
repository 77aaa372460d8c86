// SPDX-License-Identifier: Apache-2.0
// InvertibleUpSampling: channels become the positions of windows of h x w,
//
//   y[c, i h + u, j w + v] = x[c h w + u w + v, i, j],
//
// so that nothing is lost and nothing computed: the inverse of InvertibleDownSampling.
//
// After a convolution of stride 1 whose outputs are the phases of a transposed convolution's, it is
// that transposed convolution, of stride (h, w): of the same operator norm, proven as that of any
// convolution.
//
// Source: Shi et al. 2016, arXiv:1609.05158 and 1609.07009; torch's PixelShuffle.
#ifndef TRAINER_LAYERS_INVERTIBLE_UP_SAMPLING_H_
#define TRAINER_LAYERS_INVERTIBLE_UP_SAMPLING_H_

#include <string>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x: [N, H*W*(C h w)], y: [N, (H h)*(W w)*C], channels last.
// Guarantee: ||y(a) - y(b)||_2 = ||a - b||_2 and ||dx||_2 = ||dy||_2, exact.
class InvertibleUpSampling final : public Layer {
 public:
  // Requires: the positions of the window divide the channels.
  InvertibleUpSampling(SampleShape input, UpSamplingLayer layer) : input_(input), layer_(layer) {}

  std::string type() const override { return "InvertibleUpSampling"; }
  SampleShape output_shape() const override { return OutputShape(layer_, input_); }
  void PrepareStep(bool /*training*/) override {}
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override {}
  FrozenLayer Freeze() const override { return layer_; }

 private:
  SampleShape input_;
  UpSamplingLayer layer_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_INVERTIBLE_UP_SAMPLING_H_
