// SPDX-License-Identifier: Apache-2.0
// Cross-entropies of the scores that an adversary within epsilon could cause. With the differences
// d_j and distances D_j of pairwise_loss.h:
//
//   e_j    = d_j / (epsilon D_j) clipped to [0.01, 1], without gradient
//   z_j    = (offset - d_j + e_j epsilon D_j) / T
//   CE     = log(1 + sum over j of exp(z_j)) = -log p
//   EMMA   mean of CE with offset 0 and T = 1
//   logit annealing   mean of T (1 - p)^power CE;   with epsilon 0 the scores count as they are
//
// A class that is already out of reach is moved up only to a tie (e_j < 1), so its gradient does
// not vanish; the distances carry gradient, so the head is trained to be easy to certify. Annealing
// reduces the weight of samples that are confident already.
//
// Source: Hu et al. 2023, "Unlocking Deterministic Robustness Certification on ImageNet" (EMMA),
//         arXiv:2301.12549; Lai et al. 2025, "BRO and Logit Annealing", arXiv:2505.15174.
#ifndef TRAINER_LOSSES_EMMA_LOSSES_H_
#define TRAINER_LOSSES_EMMA_LOSSES_H_

#include <string>

#include "trainer/losses/pairwise_loss.h"

namespace lipserve::trainer {

class EmmaLoss final : public PairwiseLoss {
 public:
  // Requires: epsilon is not negative.
  explicit EmmaLoss(double epsilon);

  std::string description() const override;

 private:
  double SampleLoss(const Sample& sample) const override;

  double epsilon_;
};

// What a recipe decides; see LogitAnnealingSpec.
struct LogitAnnealingOptions {
  double offset = 2.0;
  double temperature = 0.75;  // positive
  double power = 5.0;         // not negative
  double epsilon = 0.0;       // not negative
};

class LogitAnnealingLoss final : public PairwiseLoss {
 public:
  explicit LogitAnnealingLoss(const LogitAnnealingOptions& options);

  std::string description() const override;

 private:
  double SampleLoss(const Sample& sample) const override;

  LogitAnnealingOptions options_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_EMMA_LOSSES_H_
