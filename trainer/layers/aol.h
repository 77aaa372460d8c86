// SPDX-License-Identifier: Apache-2.0
// Layers whose kernel is scaled channel by channel, by AOL's bound (aol_map.h).
#ifndef TRAINER_LAYERS_AOL_H_
#define TRAINER_LAYERS_AOL_H_

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "trainer/constraints/aol_map.h"
#include "trainer/layers/convolution.h"
#include "trainer/layers/dense.h"

namespace lipserve::trainer {

// W = K diag(t), each input a channel.
//
// Guarantee: ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2 whatever the kernel (AolMap).
class AolDense final : public Dense {
 public:
  // The kernel starts as a random orthogonal matrix drawn from `random`, the bias as 0.
  AolDense(std::size_t inputs, std::size_t units, bool use_bias, std::mt19937_64& random);

  std::string type() const override { return "AOLDense"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  AolMap map_;
};

// W = K diag(t) for each group.
//
// Guarantee: as above.
// Requires:  zero or circular padding, and IsPartOfPlaneOrTorus(geometry) (convolution.h).
class AolConvolution final : public Convolution {
 public:
  // The kernels start as random orthogonal matrices drawn from `random`, the bias as 0.
  AolConvolution(const ConvolutionLayer& geometry, bool use_bias, std::mt19937_64& random);

  std::string type() const override { return "AOLConv2D"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  std::vector<AolMap> maps_;  // one for each group
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_AOL_H_
