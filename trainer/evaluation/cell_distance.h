// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it proves radii, though never those that a server answers.
//
// How far an input is from the cells of other classes' prototypes, for networks whose prototypes
// are points of the input space. The class changes to that of row j only where f_j >= f_i for
// *every* own row i. That set is a polyhedron, the cell of j. It is farther away than the nearest
// of the planes f_j = f_i, which the served certificate uses. Let m_i = f_i(x) - f_j(x) and a_i =
// w_j - w_i; x + d is in the cell only if <a_i, d> >= m_i for all i.
//
// Lemma. For any weights l_i >= 0 and any set D of steps, with a = sum l_i a_i and m = sum l_i m_i,
//   ||d||^2 >= 2 (m + inf over d in D of (||d||^2 / 2 - <a, d>))   for every d in D into the cell.
// Proof. Such a d has <a, d> >= m, so ||d||^2 / 2 >= ||d||^2 / 2 + m - <a, d>. QED
//   All steps:       the infimum is -||a||^2 / 2; with the best multiple of l, ||d|| >= m / ||a||.
//   The unit box:    D = {d: x + d in [0, 1]^n}; the infimum is a sum over coordinates, each at
//                    d_k = clip(x_k + a_k, 0, 1) - x_k.
// With the best l both are the distances themselves (duality of convex quadratic programs), which
// the search approaches but does not always reach. The search for l is in float64 and proves
// nothing. Its result is then inserted into the lemma with every operation rounded outward.
//
// Source: the distance to a cell as a quadratic program: Wang, Jha, Chaudhuri 2018,
//         arXiv:1706.03922; Voracek, Hein 2022, arXiv:2207.07208.
#ifndef TRAINER_EVALUATION_CELL_DISTANCE_H_
#define TRAINER_EVALUATION_CELL_DISTANCE_H_

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/network/frozen_network.h"

namespace lipserve::trainer {

// Where the adversary's inputs may be.
enum class AllowedInputs {
  kAll,      // anywhere, as a served radius has it
  kUnitBox,  // in [0, 1]^n, as images are
};

// Threads: immutable.
class CellDistance {
 public:
  // Errors: InvalidArgument if there is a layer other than flatten before the last.
  static absl::StatusOr<CellDistance> Create(const FrozenNetwork& network);

  // A radius within which every allowed input is of class `chosen`, rounded down; 0 if none is
  // proven. With kUnitBox, 0 unless the input itself is in the box.
  //
  // Shapes:   input: of the network.
  // Requires: finite numbers; the environment of ScopedStrictFloatingPoint.
  // Guarantee: for every allowed x' with ||x' - input||_2 <= the result, `chosen` is the unique
  //            largest class of the real network.
  double Radius(std::span<const float> input, std::size_t chosen, AllowedInputs allowed) const;

 private:
  struct Search;

  CellDistance() = default;

  std::span<const float> row(std::size_t r) const {
    return std::span(rows_.weights).subspan(r * rows_.inputs, rows_.inputs);
  }

  DenseLayer rows_;
  std::size_t per_class_ = 1;
  std::vector<Upper> norms_;  // of the rows
};

}  // namespace lipserve::trainer

#endif  // TRAINER_EVALUATION_CELL_DISTANCE_H_
