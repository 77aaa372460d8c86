// SPDX-License-Identifier: Apache-2.0
// NearestPrototype: y_r = <p_r, x> - ||p_r||^2 / 2, largest for the prototype p_r that is nearest
// to x. As the last layer it scores K prototypes of each class, class after class; the class of the
// nearest one is the answer.
//
//   backward   dx = sum_r dy_r p_r,   dp_r = sum over samples of dy_r (x - p_r)
//
// Losses of prototypes use two of them per sample. So backward costs a row for every dy_r that is
// not 0, not a matrix product.
//
// Source: Voracek, Hein 2022, arXiv:2207.07208.
#ifndef TRAINER_LAYERS_NEAREST_PROTOTYPE_H_
#define TRAINER_LAYERS_NEAREST_PROTOTYPE_H_

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "trainer/layers/dense.h"

namespace lipserve::trainer {

// What a recipe decides; see NearestPrototypeSpec.
struct NearestPrototypeOptions {
  std::size_t classes = 2;
  std::size_t prototypes_per_class = 1;

  std::size_t prototypes() const { return classes * prototypes_per_class; }
};

// Shapes: x: [N, inputs], y: [N, prototypes()].
class NearestPrototype final : public Dense {
 public:
  // Prototypes start as normal numbers of variance 1 / inputs drawn from `random`, because the data
  // is not known here (trainer/training/prototype_start.h sets them).
  NearestPrototype(std::size_t inputs, const NearestPrototypeOptions& options,
                   std::mt19937_64& random);

  std::size_t prototypes_per_class() const { return options_.prototypes_per_class; }
  // Row by row: of class c, those from c * prototypes_per_class().
  MatrixView prototypes() { return {parameters_[0].values.data(), outputs(), inputs()}; }

  std::string type() const override { return "NearestPrototype"; }
  void PrepareStep(bool training) override;
  void Forward(ConstMatrixView x, MatrixView y) override;
  void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  const NearestPrototypeOptions options_;
  std::vector<float> offsets_;  // -||p_r||^2 / 2
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_NEAREST_PROTOTYPE_H_
