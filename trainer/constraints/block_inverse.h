// SPDX-License-Identifier: Apache-2.0
// Inverses of the small matrices of orthogonal maps, by recursive halving. Blocks of at most 32
// rows are inverted in float64. oneDNN's products combine them, and take most of the time.
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

// Before a Gram matrix is factored, this share of its diagonal's mean is added to the diagonal. It
// is about the rounding of a float32 Gram matrix. Directions in which a kernel is smaller than the
// square root of it are noise; they stay small instead of being amplified.
inline constexpr double kGramRidge = 1e-6;

// Replaces a Gram matrix by L^-1, lower triangular, where L L^T = gram + ridge I is Cholesky's
// factorisation.
//
// Shapes:    [side, side].
// Requires:  symmetric and positive semidefinite but for float32 rounding.
// Guarantee: no pivot is below the ridge, so a finite matrix gives a finite factor; a matrix of
//            zeros gives a finite factor too.
void InvertCholeskyFactor(MatrixView gram);

// Replaces a matrix by its inverse.
//
// Shapes:   [side, side].
// Requires: the symmetric part is positive definite. Then so is that of every A and of every
//           D - C P B, and no pivoting is needed (Golub, Van Loan, 4.3.2).
void InvertPositive(MatrixView matrix);

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_BLOCK_INVERSE_H_
