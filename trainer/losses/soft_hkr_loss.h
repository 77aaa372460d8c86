// SPDX-License-Identifier: Apache-2.0
// HKR that weights the other classes by a softmax of their scores, so that the strongest counts
// most. With b where the hinge bends:
//
//   w_y = 1,   w_c = softmax of T f_c over c != y
//   KR      mean over samples of   f_y - sum over c != y of w_c f_c
//   hinge   mean over samples of   relu(b - f_y) + sum over c != y of w_c relu(b + f_c)
//   loss    hinge_weight * hinge - kr_weight * KR
//
// T follows the size a of the scores, so that training does not sharpen the softmax by growing
// them; the gradient runs through the softmax, not through T:
//   a <- mean_decay a + (1 - mean_decay) mean |f|, kept in [0.005, 1000], first min_margin
//   T = temperature min_margin / max(a, min_margin), kept in [0.005, 250]
//
// Source: deel-torchlip's and orthogonium's SoftHKRMulticlassLoss, deel-lip's MulticlassSoftHKR.
//         Those also update a in validation, so that validation changes training.
#ifndef TRAINER_LOSSES_SOFT_HKR_LOSS_H_
#define TRAINER_LOSSES_SOFT_HKR_LOSS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "trainer/losses/hkr_terms.h"
#include "trainer/losses/loss.h"

namespace lipserve::trainer {

// What a recipe decides; see SoftHkrSpec.
struct SoftHkrOptions {
  Alpha alpha;
  MinMargin margin;
  double temperature = 1.0;  // positive
  double mean_decay = 0.99;  // in [0, 1)
};

// State: "mean_absolute_score", the number a.
//
// Shapes:    scores, gradient: [N, C], C >= 2; labels: N, each in [0, C).
// Guarantee: finite for finite scores; values are computed in float64.
class SoftHkrLoss final : public Loss {
 public:
  explicit SoftHkrLoss(const SoftHkrOptions& options);

  std::string description() const override;
  void Observe(ConstMatrixView scores) override;
  double Evaluate(const ScoredBatch& batch, const LossGradient& gradient) override;

  // The T of the next Evaluate.
  double softmax_temperature() const;

 private:
  // The loss of one sample; writes d loss / d f to `slopes`.
  double SampleLoss(std::span<const float> f, std::size_t label, std::span<double> slopes);

  SoftHkrOptions options_;
  std::vector<double> weights_;  // of one sample: w_c
  std::vector<double> slopes_;   // of one sample
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_SOFT_HKR_LOSS_H_
