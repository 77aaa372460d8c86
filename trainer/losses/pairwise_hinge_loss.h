// SPDX-License-Identifier: Apache-2.0
// Hinges on the margins of pairwise_loss.h, each a mean over samples:
//
//   kMeanOverClasses   1/C sum over j != y of relu(margin - d_j)    C classes, so C - 1 terms
//   kSum               sum over j != y of relu(margin - d_j)
//   kWorst             relu(margin - min over j of d_j)
//
// With certified margins, kWorst is the hinge on the certified radius itself: relu(margin -
// radius).
//
// Source: deel-lip's MultiMargin, with margin sqrt(2) epsilon the loss of BCOP (Li et al. 2019,
//         arXiv:1911.00937); CategoricalHinge of deel-lip and deel-torchlip; on certified margins,
//         Voracek, Hein 2022, arXiv:2207.07208.
#ifndef TRAINER_LOSSES_PAIRWISE_HINGE_LOSS_H_
#define TRAINER_LOSSES_PAIRWISE_HINGE_LOSS_H_

#include <string>

#include "trainer/losses/pairwise_loss.h"

namespace lipserve::trainer {

enum class HingeOver { kMeanOverClasses, kSum, kWorst };

// What a recipe decides.
struct PairwiseHingeOptions {
  std::string name;         // for the summary, e.g. "MultiMargin"
  std::string margin_name;  // the recipe's field, e.g. "min_margin"
  double margin = 1.0;      // positive
  MarginKind kind = MarginKind::kScores;
  HingeOver over = HingeOver::kSum;
};

// Guarantee: at its kink the hinge has gradient 0; among equally bad classes kWorst takes the
//            first.
class PairwiseHingeLoss final : public PairwiseLoss {
 public:
  explicit PairwiseHingeLoss(const PairwiseHingeOptions& options);

  std::string description() const override;

 private:
  double SampleLoss(const Sample& sample) const override;

  PairwiseHingeOptions options_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_PAIRWISE_HINGE_LOSS_H_
