// SPDX-License-Identifier: Apache-2.0
// Estimates of the share of a batch that would be certified: quick figures for watching training
// and for choosing an epoch. They assume that every layer before the head is 1-Lipschitz, and they
// are not rounded outward. Proven figures come from the frozen model
// (trainer/evaluation/evaluation.h).
#ifndef TRAINER_LOSSES_CERTIFIED_ESTIMATES_H_
#define TRAINER_LOSSES_CERTIFIED_ESTIMATES_H_

#include <span>
#include <string>
#include <vector>

#include "trainer/losses/loss.h"

namespace lipserve::trainer {

// "certified_estimate@1.58".
std::string CertifiedEstimateName(double epsilon);

// For each epsilon, under that name, the share of samples whose margin to every other class, (f_y -
// f_j) / ||w_y - w_j||, is at least epsilon; a wrong answer has a negative margin. With prototypes,
// f_y is the best score of the label's and j is any prototype of another class.
//
// Shapes: as ScoredBatch, with its head.
// Units:  epsilons in units of the network's input.
std::vector<Metric> CertifiedEstimates(const ScoredBatch& batch, std::span<const double> epsilons);

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_CERTIFIED_ESTIMATES_H_
