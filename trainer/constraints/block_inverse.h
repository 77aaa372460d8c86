// SPDX-License-Identifier: Apache-2.0
// Inverses of the small matrices that orthogonal maps need, by halves: matrices of at most 32 rows
// in float64, what joins them by oneDNN's products, which is where the time goes.
//
//   [A .]   L of A is M, of D - C M M^T C^T it is N:       L^-1 = [M 0; -N C M^T M, N]
//   [C D]   with M and N already inverted
//
//   [A B]   P = A^-1, Q = (D - C P B)^-1:   [P + P B Q C P, -P B Q; -Q C P, Q]
//   [C D]
//
// Source: Golub, Van Loan 2013, Matrix Computations, 4.2.9 and 3.2.
#ifndef TRAINER_CONSTRAINTS_BLOCK_INVERSE_H_
#define TRAINER_CONSTRAINTS_BLOCK_INVERSE_H_

#include "model/network/matrix_view.h"

namespace lipserve::trainer {

// Part of the mean of a Gram matrix's diagonal that is added to the diagonal before it is factored:
// the rounding of a float32 Gram matrix. Directions in which a kernel is smaller than the root of
// it are noise, and are left small instead of blown up.
inline constexpr double kGramRidge = 1e-6;

// Replaces a Gram matrix by L^-1, lower triangular, where L L^T = gram + ridge I is Cholesky's
// factorisation.
//
// Shapes:    [side, side].
// Requires:  symmetric and positive semidefinite but for float32 rounding.
// Guarantee: no pivot is below the ridge, so that finite in is finite out; a matrix of zeros gives
//            a finite factor.
void InvertCholeskyFactor(MatrixView gram);

// Replaces a matrix by its inverse.
//
// Shapes:   [side, side].
// Requires: the symmetric part is positive definite. Then so is that of every A and of every
//           D - C P B, and no pivoting is needed (Golub, Van Loan, 4.3.2).
void InvertPositive(MatrixView matrix);

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_BLOCK_INVERSE_H_
