// SPDX-License-Identifier: Apache-2.0
// PReLU with slopes within [-1, 1], at every position of an image:
//
//   forward   y = x where x >= 0,  a x elsewhere,  a = clip(slope, -1, 1)
//   backward  dx = dy where x > 0, a dy elsewhere;
//             d slope = sum of x dy over x < 0, if the slope is within (-1, 1), or if the descent
//             along it would lead back there
//
// Source: He et al. 2015, arXiv:1502.01852; torchlip's LPReLU. There a slope that has left [-1, 1]
//         has no gradient and never returns. Here the gradient leads it back.
#ifndef TRAINER_LAYERS_PRELU_H_
#define TRAINER_LAYERS_PRELU_H_

#include <cstddef>
#include <string>
#include <vector>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x, y: [N, H*W*C], channels last.
// Guarantee: ||y(a) - y(b)||_2 <= (1 + 2^-23) ||a - b||_2: y rounds once.
class PRelu final : public Layer {
 public:
  // One slope for each channel, or one `shared` by all.
  //
  // Requires: -1 <= initial_slope <= 1.
  PRelu(SampleShape shape, bool shared, float initial_slope);

  std::string type() const override { return "LPReLU"; }
  SampleShape output_shape() const override { return shape_; }
  void PrepareStep(bool training) override;
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  // The slope of the parameter that channel c has.
  std::size_t ParameterOf(std::size_t c) const { return parameters_[0].values.size() == 1 ? 0 : c; }

  SampleShape shape_;
  PReluLayer layer_;                    // of the last PrepareStep
  std::vector<float> partial_sums_;     // [C], of slope_gradient_, over a few positions
  std::vector<double> slope_gradient_;  // [C], with respect to the clipped slopes
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_PRELU_H_
