// SPDX-License-Identifier: Apache-2.0
// GroupSort: sorts the values of each group of neighbours in ascending order. It only moves
// values, so it keeps the gradient norm that ReLU loses.
//
// Source:    Anil, Lucas, Grosse 2019, arXiv:1811.05381.
// Shapes:    x, y: whole groups, one after the other, so any batch of samples whose channels are
//            neighbours; y may be x.
// Units:     those of x.
// Guarantee: ||y(a) - y(b)||_2 <= ||a - b||_2, exact (no rounding).
//            A group that has a NaN becomes NaN.
// Requires:  equal shapes.
// Threads:   concurrent calls are safe if their y do not overlap.
#ifndef MODEL_EXECUTION_GROUP_SORT_H_
#define MODEL_EXECUTION_GROUP_SORT_H_

#include <cstddef>
#include <span>

#include "model/network/matrix_view.h"

namespace lipserve {

void GroupSort(std::span<const float> x, std::size_t group_size, float* y);
void GroupSort(std::span<const double> x, std::size_t group_size, double* y);

// Of the rows of a batch, [N, features]; group_size divides features.
void GroupSort(ConstMatrixView x, std::size_t group_size, MatrixView y);

}  // namespace lipserve

#endif  // MODEL_EXECUTION_GROUP_SORT_H_
