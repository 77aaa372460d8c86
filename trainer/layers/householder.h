// SPDX-License-Identifier: Apache-2.0
// The two-dimensional Householder activation: pairs z = (x_c, x_(c + C/2)) are reflected about a
// line, if they lie on one side of it, at every position of an image.
//
//   forward   y = z - v max(<v, z>, 0),   v = sqrt(2) (sin(theta/2), -cos(theta/2)),
//             one angle theta for each c < C/2
//   backward  with s = <v, z>: where s > 0
//               dz = dy - v <v, dy>,   dv = -(s dy + <v, dy> z),   dtheta = <dv, v'(theta)>
//             elsewhere dz = dy, dv = 0
//
// Where s > 0 that is (x cos(theta) + y sin(theta), x sin(theta) - y cos(theta)). Every piece is
// orthogonal, so it keeps the norm of the gradient; theta = pi / 2 sorts the pair.
//
// Forward computes the same as a frozen model (model/execution/activation.h).
//
// Source: Singla, Singla, Feizi 2022, "Improved deterministic l2 robustness on CIFAR-10 and
//         CIFAR-100", arXiv:2108.04062; deel-lip's Householder. orthogonium's divides by sqrt(2).
#ifndef TRAINER_LAYERS_HOUSEHOLDER_H_
#define TRAINER_LAYERS_HOUSEHOLDER_H_

#include <cstddef>
#include <string>
#include <vector>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x, y: [N, H*W*C], channels last; C is even.
// Guarantee: ||y(a) - y(b)||_2 <= (1 + 2^-22) ||a - b||_2 + float32 rounding of y. Frozen, ||v||^2
//            is at most 2, so the layer is 1-Lipschitz.
class Householder final : public Layer {
 public:
  // Requires: an even number of channels.
  Householder(SampleShape shape, float initial_angle);

  std::string type() const override { return "Householder"; }
  SampleShape output_shape() const override { return shape_; }
  void PrepareStep(bool training) override;
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  SampleShape shape_;
  HouseholderLayer layer_;                  // of the last PrepareStep
  std::vector<float> directions_;           // its v, [2, C / 2]
  std::vector<float> partial_sums_;         // of -dv, [2, C / 2], over a few positions
  std::vector<double> direction_gradient_;  // dv, [2, C / 2]
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_HOUSEHOLDER_H_
