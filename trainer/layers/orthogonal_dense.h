// SPDX-License-Identifier: Apache-2.0
// OrthogonalDense: a dense layer whose kernel itself is orthogonal, all singular values 1, and is
// kept so by the optimiser (optimizers/orthogonal_descent.h). The layer costs no more than its
// products, because nothing is orthogonalised forward or backward.
//
//   training     W = K
//   evaluation   W = K after five Newton iterations, K <- 3/2 K - 1/2 K K^T K: what is left of the
//                optimiser's last step, or what averaging took away
//   freezing     W = the polar factor of K, in float64
//
// Source: Absil, Mahony, Sepulchre 2008, Optimization Algorithms on Matrix Manifolds, chapters
// 3, 4.
#ifndef TRAINER_LAYERS_ORTHOGONAL_DENSE_H_
#define TRAINER_LAYERS_ORTHOGONAL_DENSE_H_

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "trainer/layers/dense.h"

namespace lipserve::trainer {

// What a recipe decides; see SpectralDenseSpec with ORTHOGONAL_METHOD_RETRACTION.
struct OrthogonalDenseOptions {
  std::size_t units = 1;
  bool use_bias = true;
};

// Shapes:    x: [N, inputs], y: [N, units].
// Guarantee: in evaluation ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2, where d is float32 rounding,
//            below 1e-5 for min(units, inputs) <= 256; in training the same up to the squares of
//            the optimiser's steps since its last retraction. The certificate does not rest on
//            this: it proves the norm of the frozen weights.
class OrthogonalDense final : public Dense {
 public:
  // The kernel starts as a random orthogonal matrix drawn from `random`, the bias as 0.
  OrthogonalDense(std::size_t inputs, const OrthogonalDenseOptions& options,
                  std::mt19937_64& random);

  std::string type() const override { return "OrthogonalDense"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  std::vector<float> gram_;     // of Newton's iterations
  std::vector<float> product_;  // likewise
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_ORTHOGONAL_DENSE_H_
