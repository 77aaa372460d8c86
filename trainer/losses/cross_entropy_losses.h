// SPDX-License-Identifier: Apache-2.0
// Cross-entropies for networks whose scores cannot grow freely, because their Lipschitz constant is
// bounded. With the margins d_j of pairwise_loss.h, each a mean over samples:
//
//   tau      log(1 + sum over j of exp(-tau d_j)) / tau  =  CE(softmax(tau f), y) / tau
//   offset   T log(1 + sum over j of exp((offset - d_j) / T))
//                                          =  T CE(softmax((f - offset e_y) / T), y)
//
// A sample has almost no weight once its margins are several T beyond the offset. A small tau
// maximises the mean margin, a large tau the accuracy. On certified margins the offset is the
// radius to train for, in units of the input, and T sets how sharply the loss ends there. With a
// single score, tau is the binary cross-entropy.
//
// Source: Bethune et al. 2022, "Pay attention to your loss", arXiv:2104.05097, and deel-lip's
//         Tau*Crossentropy; Prach, Lampert 2022, arXiv:2208.03160, and orthogonium's LossXent.
//         On certified margins: ours.
#ifndef TRAINER_LOSSES_CROSS_ENTROPY_LOSSES_H_
#define TRAINER_LOSSES_CROSS_ENTROPY_LOSSES_H_

#include <string>

#include "trainer/losses/pairwise_loss.h"

namespace lipserve::trainer {

class TauCrossEntropyLoss final : public PairwiseLoss {
 public:
  // Requires: tau is positive.
  explicit TauCrossEntropyLoss(double tau);

  std::string description() const override;

 private:
  double SampleLoss(const Sample& sample) const override;

  double tau_;
};

// What a recipe decides; see OffsetCrossEntropySpec.
struct OffsetCrossEntropyOptions {
  double offset = 0.0;
  double temperature = 1.0;  // positive
  MarginKind kind = MarginKind::kScores;
};

class OffsetCrossEntropyLoss final : public PairwiseLoss {
 public:
  explicit OffsetCrossEntropyLoss(const OffsetCrossEntropyOptions& options);

  std::string description() const override;

 private:
  double SampleLoss(const Sample& sample) const override;

  OffsetCrossEntropyOptions options_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_CROSS_ENTROPY_LOSSES_H_
