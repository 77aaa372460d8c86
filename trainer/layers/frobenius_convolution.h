// SPDX-License-Identifier: Apache-2.0
// FrobeniusConv2D: a convolution whose kernel is divided by its Frobenius norm, each group's by its
// own, times the safe norm of its windows (convolution.h):
//
//   W = K / ||K||_F / sqrt(most reads of a position)
//
// The Frobenius norm is up to the root of the number of outputs larger than the operator norm: with
// many outputs the layer shrinks its input. With one output it is tight.
//
// Source: deel-lip, FrobeniusConv2D.
#ifndef TRAINER_LAYERS_FROBENIUS_CONVOLUTION_H_
#define TRAINER_LAYERS_FROBENIUS_CONVOLUTION_H_

#include <random>
#include <string>
#include <vector>

#include "trainer/layers/convolution.h"

namespace lipserve::trainer {

// Guarantee: ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2, where d is float32 rounding, below
//            (numbers of a group's kernel + 8) * 2^-24.
class FrobeniusConvolution final : public Convolution {
 public:
  // The kernels start as random orthogonal matrices drawn from `random`, the bias as 0.
  FrobeniusConvolution(const ConvolutionLayer& geometry, bool use_bias, std::mt19937_64& random);

  std::string type() const override { return "FrobeniusConv2D"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  std::vector<float> inverse_norms_;  // one for each group
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_FROBENIUS_CONVOLUTION_H_
