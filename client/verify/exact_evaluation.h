// SPDX-License-Identifier: Apache-2.0
// Trusted: computes the scores that classes and margins are read from. No floating point.
#ifndef CLIENT_VERIFY_EXACT_EVALUATION_H_
#define CLIENT_VERIFY_EXACT_EVALUATION_H_

#include <cstddef>
#include <vector>

#include "client/verify/exact/exact_number.h"
#include "client/verify/model/model_file.h"

namespace lipserve::verify {

// The roots of an L2-norm pooling are rounded down to multiples of 2^kRootExponent.
inline constexpr long kRootExponent = -2048;

// The network's scores at `input`: exactly, if no layer is an L2-norm pooling. Every other layer,
// and every sum of squares, is exact too; ProvenModel::difference_error() bounds what roots lose.
//
// Requires: input has model.input_size() numbers.
ExactVector ScoresOf(const Model& model, ExactVector input);

// The scores of the last layer's rows, with the constant second one, 0, of a network with a single
// row.
ExactVector RowScores(const Model& model, ExactVector input);

// The row of the largest score, the lowest index among equals. Its class is the network's: rows are
// in the order of their classes.
//
// Requires: the scores of at least two rows.
std::size_t LargestScore(const ExactVector& row_scores);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_EXACT_EVALUATION_H_
