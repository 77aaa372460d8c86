// SPDX-License-Identifier: Apache-2.0
// Inverses of the small matrices that orthogonal maps need, computed in float64: the entries come
// from float32 products, and an inverse must not lose more of them.
#ifndef TRAINER_LAYERS_FLOAT64_INVERSE_H_
#define TRAINER_LAYERS_FLOAT64_INVERSE_H_

#include <cstddef>
#include <vector>

#include "model/network/matrix_view.h"

namespace lipserve::trainer {

// Part of the mean of a Gram matrix's diagonal that is added to the diagonal before it is factored:
// the rounding of a float32 Gram matrix. Directions in which a kernel is smaller than the root of
// it are noise, and are left small instead of blown up.
inline constexpr double kGramRidge = 1e-6;

// Inverts matrices of one size. Owns its memory: calls allocate nothing.
//
// Threads: not thread-safe.
class Float64Inverse {
 public:
  explicit Float64Inverse(std::size_t side);

  // Writes L^-1, lower triangular, where L L^T = gram + ridge I is Cholesky's factorisation.
  //
  // Shapes:    gram, inverse_factor: [side, side]; the same matrix is allowed.
  // Requires:  gram symmetric and positive semidefinite but for float32 rounding.
  // Guarantee: no pivot is below the ridge, so that finite in is finite out; a matrix of zeros
  //            gives a finite factor.
  void InverseCholeskyFactor(ConstMatrixView gram, MatrixView inverse_factor);

  // Writes matrix^-1, by Gauss-Jordan elimination without pivoting.
  //
  // Shapes:   matrix, inverse: [side, side]; the same matrix is allowed.
  // Requires: the symmetric part of `matrix` is positive definite, with which every pivot is
  //           positive and elimination in any order is stable (Golub, Van Loan 2013, 4.3.2).
  void InversePositive(ConstMatrixView matrix, MatrixView inverse);

 private:
  std::size_t side_;
  std::vector<double> matrix_;
  std::vector<double> inverse_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_FLOAT64_INVERSE_H_
