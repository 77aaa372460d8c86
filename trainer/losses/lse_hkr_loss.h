// SPDX-License-Identifier: Apache-2.0
// HKR of the label's score against a smooth maximum of the others. With f the scores times the
// temperature and b where the hinge bends:
//
//   r       = log(sum over c != y of exp(t f_c)) / t,   t = log(C - 1) / (penalty b)
//   KR      mean over samples of   f_y - r
//   hinge   mean over samples of   relu(b - f_y) + relu(b + r)
//   loss    hinge_weight * hinge - kr_weight * KR
//
// t is chosen so that max f_c <= r <= max f_c + penalty b. With two classes r is the other score,
// where deel-torchlip divides 0 by 0.
//
// Source: deel-torchlip's LseHKRMulticlassLoss.
#ifndef TRAINER_LOSSES_LSE_HKR_LOSS_H_
#define TRAINER_LOSSES_LSE_HKR_LOSS_H_

#include <string>
#include <vector>

#include "trainer/losses/hkr_terms.h"
#include "trainer/losses/loss.h"

namespace lipserve::trainer {

// What a recipe decides; see LseHkrSpec.
struct LseHkrOptions {
  Alpha alpha;
  MinMargin margin;
  double temperature = 1.0;  // positive
  double penalty = 1.0;      // positive
};

// Shapes:    scores, gradient: [N, C], C >= 2; labels: N, each in [0, C).
// Guarantee: finite for finite scores; values are computed in float64.
class LseHkrLoss final : public Loss {
 public:
  explicit LseHkrLoss(const LseHkrOptions& options);

  std::string description() const override;
  double Evaluate(const ScoredBatch& batch, const LossGradient& gradient) override;

 private:
  LseHkrOptions options_;
  std::vector<double> weights_;  // of one sample: d r / d f
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_LSE_HKR_LOSS_H_
