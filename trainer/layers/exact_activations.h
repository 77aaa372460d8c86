// SPDX-License-Identifier: Apache-2.0
// Activations without parameters that round nothing, at every position of an image:
//
//   Abs                 y = |x|                                    dx = sign(x) dy
//   MaxMin              y_c = max, y_(c + C/2) = min of x_c and x_(c + C/2)
//                                                                  dx: the same moves, backwards
//   ConcatenatedReLU    y_c = max(x_c, 0), y_(c + C) = max(-x_c, 0)
//                                                                  dx_c = dy_c if x_c > 0,
//                                                                         -dy_(c + C) if x_c < 0
//
// Gradients at ties: 0 where x = 0; MaxMin treats x_c as the larger. Abs and MaxMin keep the norm
// of the gradient, ConcatenatedReLU keeps half of it on average.
//
// Forward computes the same as a frozen model (model/execution/activation.h).
//
// Source: Abs: orthogonium. MaxMin: Anil, Lucas, Grosse 2019, arXiv:1811.05381, in the halves of
//         orthogonium. ConcatenatedReLU: Shang et al. 2016, arXiv:1603.05201; deel-lip's MaxMin.
#ifndef TRAINER_LAYERS_EXACT_ACTIVATIONS_H_
#define TRAINER_LAYERS_EXACT_ACTIVATIONS_H_

#include <string>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x: [N, H*W*C], y: [N, H*W*C'], channels last; C' = C, or 2 C for ConcatenatedReLU.
// Guarantee: ||y(a) - y(b)||_2 <= ||a - b||_2 and ||dx||_2 <= ||dy||_2, exact in float32.
template <typename Frozen>
class ExactActivation : public Layer {
 public:
  // Requires: for MaxMin, an even number of channels.
  explicit ExactActivation(SampleShape shape) : shape_(shape) {}

  std::string type() const override;
  SampleShape output_shape() const override { return OutputShape(Frozen{}, shape_); }
  void PrepareStep(bool /*training*/) override {}
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override {}
  FrozenLayer Freeze() const override { return Frozen{}; }

 private:
  SampleShape shape_;
};

using Abs = ExactActivation<AbsLayer>;
using MaxMin = ExactActivation<MaxMinLayer>;
using ConcatenatedRelu = ExactActivation<ConcatenatedReluLayer>;

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_EXACT_ACTIVATIONS_H_
