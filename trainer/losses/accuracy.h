// SPDX-License-Identifier: Apache-2.0
// The share of samples that a batch's scores classify correctly.
#ifndef TRAINER_LOSSES_ACCURACY_H_
#define TRAINER_LOSSES_ACCURACY_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "model/network/matrix_view.h"

namespace lipserve::trainer {

// The class is the one with the largest score, the lowest index among equals; with a single score,
// the first class where the score is not negative. This is the rule of the served model.
//
// Shapes: scores: [N, S], S the classes times `scores_per_class`, class after class; labels: N,
//         each in [0, max(S / scores_per_class, 2)), N >= 1.
double Accuracy(ConstMatrixView scores, std::span<const std::int32_t> labels,
                std::size_t scores_per_class = 1);

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_ACCURACY_H_
