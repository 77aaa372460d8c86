// SPDX-License-Identifier: Apache-2.0
// One step of Newton's iteration for the nearest orthogonal matrix, in place.
//
//   W <- 3/2 W - 1/2 W W^T W      singular values s <- s (3 - s^2) / 2
//
// Source: Higham 2008, Functions of Matrices, equation 8.20 (the Newton-Schulz iteration).
#ifndef TRAINER_CONSTRAINTS_NEWTON_RETRACTION_H_
#define TRAINER_CONSTRAINTS_NEWTON_RETRACTION_H_

#include <vector>

#include "model/network/matrix_view.h"

namespace lipserve::trainer {

// Number of retractions before evaluation. They remove the deviation from orthogonality that the
// optimiser's last step, or averaging, leaves.
inline constexpr int kEvaluationRetractions = 5;

// `gram` and `product` are scratch memory, resized as needed: min(rows, cols)^2 and rows * cols.
//
// Guarantee: a singular value 1 + e, |e| <= 1/2, becomes 1 - 3/2 e^2 - 1/2 e^3; none in
//            [0, sqrt(3)] becomes larger than 1 but for float32 rounding.
void NewtonRetraction(MatrixView matrix, std::vector<float>& gram, std::vector<float>& product);

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_NEWTON_RETRACTION_H_
