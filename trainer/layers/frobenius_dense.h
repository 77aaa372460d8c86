// SPDX-License-Identifier: Apache-2.0
// FrobeniusDense: a dense layer whose kernel is divided by its Frobenius norm.
//
//   joint      W = K / ||K||_F
//   disjoint   each row (output) of K divided by its own 2-norm
//   backward   dK = (dW - <dW, W> W) / ||K||_F, or the same row by row
//
// With one output both are the same, and the layer is a unit vector: the gradient-norm-preserving
// head of a binary classifier.
//
// Source: deel-lip, FrobeniusDense; Serrurier et al. 2021, arXiv:2006.06520.
#ifndef TRAINER_LAYERS_FROBENIUS_DENSE_H_
#define TRAINER_LAYERS_FROBENIUS_DENSE_H_

#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "trainer/layers/dense.h"

namespace lipserve::trainer {

// What a recipe decides; see FrobeniusDenseSpec.
struct FrobeniusDenseOptions {
  std::size_t units = 1;
  bool use_bias = false;
  bool disjoint_neurons = false;
};

// Shapes:    x: [N, inputs], y: [N, units].
// Guarantee: joint: ||y(a) - y(b)||_2 <= (1 + d) ||a - b||_2; disjoint: |y_i(a) - y_i(b)| <= (1 +
//            d) ||a - b||_2 for each i, where d is float32 rounding, below (inputs + 8) * 2^-24.
//            The certificate does not rest on this: it proves the norm of the frozen weights.
class FrobeniusDense final : public Dense {
 public:
  // The kernel starts as a random orthogonal matrix drawn from `random`, the bias as 0.
  FrobeniusDense(std::size_t inputs, const FrobeniusDenseOptions& options, std::mt19937_64& random);

  std::string type() const override { return "FrobeniusDense"; }
  void PrepareStep(bool training) override;
  void FinishStep() override;
  FrozenLayer Freeze() const override;

 private:
  // Numbers that share one norm: the whole kernel, or one row.
  std::size_t group_size() const { return options_.disjoint_neurons ? inputs() : kernel().size(); }

  FrobeniusDenseOptions options_;
  std::vector<float> inverse_norms_;  // one per group
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_FROBENIUS_DENSE_H_
