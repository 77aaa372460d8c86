// SPDX-License-Identifier: Apache-2.0
// The distances between the rows of a head: over a body with Lipschitz constant 1, the difference
// of scores f_i - f_j changes by at most D_ij per unit of input, so (f_i - f_j) / D_ij is a radius.
//
//   D_ij = ||w_i - w_j||;   with a single row w, whose two classes are its two signs, D = ||w||
//   backward   dw_i = sum over j of (G_ij + G_ji) (w_i - w_j) / D_ij,   G = d loss / d D
//
// These are targets of a loss, not a proof: float64 without outward rounding, and the body's
// constant is assumed to be 1. A promised radius comes from model/certificate alone.
#ifndef TRAINER_LOSSES_PAIR_DISTANCES_H_
#define TRAINER_LOSSES_PAIR_DISTANCES_H_

#include <cstddef>
#include <span>
#include <vector>

#include "model/network/matrix_view.h"

namespace lipserve::trainer {

// The distances of one head, and the gradient of the loss with respect to them.
//
// Guarantee: no distance is below kSmallest, so that equal rows give large margins and no NaN.
class PairDistances {
 public:
  static constexpr double kSmallest = 1e-6;

  // Computes the distances and clears the gradient. `head` stays as it is until WriteGradient.
  //
  // Shapes: head: [S, F], S >= 1; there are max(S, 2) classes.
  void Compute(ConstMatrixView head);

  std::size_t classes() const { return classes_; }
  // D_ij for all j of one class i; D_ii is 0.
  std::span<const double> row(std::size_t i) const {
    return {distances_.data() + i * classes_, classes_};
  }

  // G_ij for all j, to be added to.
  std::span<double> gradient_row(std::size_t i) {
    return {gradient_.data() + i * classes_, classes_};
  }

  // Overwrites `head_gradient`, [S, F], with d loss / d head through the distances.
  void WriteGradient(MatrixView head_gradient) const;

 private:
  ConstMatrixView head_;
  std::size_t classes_ = 0;
  std::vector<double> distances_;
  std::vector<double> gradient_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_PAIR_DISTANCES_H_
