// SPDX-License-Identifier: Apache-2.0
// Pools over disjoint windows that tile an image, scaled to norm 1, so that they do not shrink
// their input more than needed. The global forms are pools with one window.
//
//   ScaledAveragePooling2D   y = sum of the window / sqrt(n), n numbers in it
//                            dx = dy / sqrt(n)
//   ScaledL2NormPooling2D    y = ||window||_2
//                            dx = x dy / y, and 0 where y is 0 (the smallest subgradient)
//
// Forward computes the same as a frozen model (model/execution/pooling.h).
//
// Source: Serrurier et al. 2021, arXiv:2006.06520; deel-lip, ScaledAveragePooling2D and
//         ScaledL2NormPooling2D (whose backward pass adds 1e-6 to y).
#ifndef TRAINER_LAYERS_POOLING_H_
#define TRAINER_LAYERS_POOLING_H_

#include <cstddef>
#include <string>

#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Shapes:    x: [N, H*W*C], y: [N, (H/h)*(W/w)*C], channels last, for windows of h x w.
// Guarantee: a linear map of norm at most 1, and at least 1 - 2^-23: 1 / sqrt(n) is rounded down.
class ScaledAveragePool final : public Layer {
 public:
  // Requires: the window divides the image along both axes.
  ScaledAveragePool(SampleShape input, std::size_t window_height, std::size_t window_width);

  std::string type() const override;
  SampleShape output_shape() const override { return OutputShape(pool_, input_); }
  void PrepareStep(bool /*training*/) override {}
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override {}
  FrozenLayer Freeze() const override { return pool_; }

 private:
  SampleShape input_;
  AveragePoolLayer pool_;
};

// Shapes:    as above.
// Guarantee: ||y(a) - y(b)||_2 <= (1 + 2^-23) ||a - b||_2 + float32 rounding of y, and
//            ||dx||_2 <= (1 + 2^-22) ||dy||_2; finite for every finite x.
class ScaledL2NormPool final : public Layer {
 public:
  // Requires: the window divides the image along both axes.
  ScaledL2NormPool(SampleShape input, std::size_t window_height, std::size_t window_width)
      : input_(input), pool_{window_height, window_width} {}

  std::string type() const override;
  SampleShape output_shape() const override { return OutputShape(pool_, input_); }
  void PrepareStep(bool /*training*/) override {}
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override {}
  FrozenLayer Freeze() const override { return pool_; }

 private:
  SampleShape input_;
  L2NormPoolLayer pool_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_POOLING_H_
