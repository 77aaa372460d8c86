// SPDX-License-Identifier: Apache-2.0
// The radius that real arithmetic would prove by the same argument, the product of operator norms:
// what a served radius may not exceed, and should not miss by much.
#ifndef TESTS_SOUNDNESS_REAL_RADIUS_H_
#define TESTS_SOUNDNESS_REAL_RADIUS_H_

#include <cstddef>
#include <span>
#include <vector>

#include "model/network/frozen_network.h"
#include "model/network/matrix_view.h"
#include "tests/model/quad.h"

namespace lipserve {

// ||W||_2 of a matrix of any size to about 1e-15 relative. Small ones by Jacobi rotations in
// quadruple precision; large ones by power iterations on G - c I, where G = W W^T is summed in
// quadruple precision and c is its mean eigenvalue: what float64 then loses is relative to the
// spread of the spectrum, which is 1e-7 for orthonormal rows.
Quad TrueOperatorNorm(ConstMatrixView w);

// Threads: immutable.
class RealRadius {
 public:
  // Requires: dense, flatten and sort layers only; `network` outlives this.
  explicit RealRadius(const FrozenNetwork& network);

  // max_i min_j (f_i - f_j)(input) / (||w_i - w_j|| prod_l ||W_l||) over the rows i of the class,
  // the rows j of the others and the hidden dense layers l, in quadruple precision; negative if the
  // class is another. Pairs of equal rows do not limit it: +infinity if no pair does.
  Quad At(std::span<const float> input, std::size_t chosen) const;

 private:
  // What the row `own` of the class proves.
  Quad ByRow(const std::vector<Quad>& scores, std::size_t own) const;

  const FrozenNetwork& network_;
  Quad hidden_norm_ = 1;
  std::size_t num_rows_;
  std::vector<Quad> pair_norms_;  // [num_rows, num_rows]
};

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_REAL_RADIUS_H_
