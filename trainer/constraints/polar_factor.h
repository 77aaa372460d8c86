// SPDX-License-Identifier: Apache-2.0
// The polar factor of a matrix in float64: the nearest matrix with all singular values 1. Freezing
// uses it to make weights orthogonal in float64, after the layer's float32 iterations.
#ifndef TRAINER_CONSTRAINTS_POLAR_FACTOR_H_
#define TRAINER_CONSTRAINTS_POLAR_FACTOR_H_

#include <vector>

#include "model/network/matrix_view.h"

namespace lipserve::trainer {

// The polar factor U V^T of matrix = U S V^T, by the Newton-Schulz iteration (Bjorck's with
// beta 1/2) in the small Gram matrix.
//
// Source:    Higham 2008, Functions of Matrices, chapter 8; Bjorck, Bowie 1971.
// Shapes:    [matrix.rows, matrix.cols], row-major.
// Guarantee: singular values within 1e-12 of 1, except those of directions in which the matrix is
//            smaller than 1e-6 of its norm: they may stay below 1, and a matrix of zeros stays
//            zero. A matrix that is not finite gives a result that is not finite.
std::vector<double> PolarFactor(ConstMatrixView matrix);

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_POLAR_FACTOR_H_
