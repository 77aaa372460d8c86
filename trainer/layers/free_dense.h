// SPDX-License-Identifier: Apache-2.0
// FreeDense: y = K x + b with any K. As the last layer it is the best head for certified margins
// (f_i - f_j) / ||k_i - k_j||, which do not depend on its scale.
//
// Source: Leino, Wang, Fredrikson 2021, arXiv:2102.08452 (the margin of a free head).
#ifndef TRAINER_LAYERS_FREE_DENSE_H_
#define TRAINER_LAYERS_FREE_DENSE_H_

#include <cstddef>
#include <random>
#include <string>

#include "trainer/layers/dense.h"

namespace lipserve::trainer {

// What a recipe decides; see DenseSpec.
struct FreeDenseOptions {
  std::size_t units = 1;
  bool use_bias = true;
};

// Shapes: x: [N, inputs], y: [N, units].
class FreeDense final : public Dense {
 public:
  // The kernel starts as normal numbers of variance 1 / inputs drawn from `random`, the bias as 0.
  FreeDense(std::size_t inputs, const FreeDenseOptions& options, std::mt19937_64& random);

  std::string type() const override { return "Dense"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_FREE_DENSE_H_
