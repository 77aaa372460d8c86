// SPDX-License-Identifier: Apache-2.0
// Attacks: how near to an image an attacker finds one of another class. The true distance is
// between the certified radius and the distance found,
//
//   certified accuracy <= true robust accuracy <= empirical accuracy     at every epsilon,
//
// so the gap between the two bounds the weakness of the attack and the slack of the proof.
//
// Sources: DeepFool, Moosavi-Dezfooli et al. 2016 (arXiv:1511.04599), towards the class that the
//          last layer puts nearest; projected gradient descent on the margin, Madry et al. 2018
//          (arXiv:1706.06083), at each epsilon that DeepFool did not reach. After a success,
//          bisection moves the point back towards the image.
#ifndef TRAINER_EVALUATION_ROBUSTNESS_ATTACK_H_
#define TRAINER_EVALUATION_ROBUSTNESS_ATTACK_H_

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/certified_model.h"
#include "trainer/data/samples.h"
#include "trainer/evaluation/evaluation.h"

namespace lipserve::trainer {

// Attacks the first `images` samples of a fixed random order (all, if there are no more). Attacked
// images may leave [0, 1], as the ball of a certificate does.
//
// Guarantee: a distance is that of an input which CertifiedModel::Classify gives another class.
// Requires:  evaluation is that of `samples`; epsilons as for Evaluate; images >= 1.
// Errors:    Internal, naming the sample, if a distance is below the certified radius: the
//            certificate is broken, and nothing that it says should be used.
absl::StatusOr<EmpiricalEvaluation> AttackSamples(const CertifiedModel& model,
                                                  const Samples& samples,
                                                  const Evaluation& evaluation,
                                                  std::span<const double> epsilons,
                                                  std::size_t images);

}  // namespace lipserve::trainer

#endif  // TRAINER_EVALUATION_ROBUSTNESS_ATTACK_H_
