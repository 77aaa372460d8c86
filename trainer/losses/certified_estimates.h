// SPDX-License-Identifier: Apache-2.0
// How much of a batch would be certified: quick figures to follow training by and to choose an
// epoch by. They take every layer before the head to be 1-Lipschitz and are not rounded outward;
// what is proven is measured on the frozen model (trainer/training/evaluation.h).
#ifndef TRAINER_LOSSES_CERTIFIED_ESTIMATES_H_
#define TRAINER_LOSSES_CERTIFIED_ESTIMATES_H_

#include <span>
#include <string>
#include <vector>

#include "trainer/losses/loss.h"

namespace lipserve::trainer {

// "certified_estimate@1.58".
std::string CertifiedEstimateName(double epsilon);

// For each epsilon, under that name, the share of samples whose margin to every other
// class, (f_y - f_j) / ||w_y - w_j||, is at least epsilon; a wrong answer has a negative margin. Of
// prototypes, f_y is the label's best and j any of another class.
//
// Shapes: as ScoredBatch, with its head.
// Units:  epsilons in units of the network's input.
std::vector<Metric> CertifiedEstimates(const ScoredBatch& batch, std::span<const double> epsilons);

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_CERTIFIED_ESTIMATES_H_
