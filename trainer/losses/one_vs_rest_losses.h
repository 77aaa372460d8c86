// SPDX-License-Identifier: Apache-2.0
// The binary losses for each of C classes against the rest, averaged over the classes. s_c = +1
// where the label is c and -1 elsewhere.
//
//   KR          mean over c of (mean of f_c over label c  -  mean of f_c over the others)
//   hinge       mean over samples and c of relu(bend - s_c f_c), c = label counted C - 1 times
//   loss        hinge_weight * hinge - kr_weight * KR
//
// A class that is missing from the batch contributes 0 to its side of KR. Weights and bend:
// hkr_terms.h.
//
// Source: Serrurier et al. 2021, arXiv:2006.06520; deel-lip's MulticlassKR, MulticlassHinge,
//         MulticlassHKR and deel-torchlip's KRMulticlassLoss, HingeMulticlassLoss,
//         HKRMulticlassLoss.
#ifndef TRAINER_LOSSES_ONE_VS_REST_LOSSES_H_
#define TRAINER_LOSSES_ONE_VS_REST_LOSSES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "trainer/losses/hkr_terms.h"
#include "trainer/losses/loss.h"

namespace lipserve::trainer {

// KR, hinge, or both: HKR, one-versus-rest.
//
// Shapes:    scores, gradient: [N, C], C >= 2; labels: N, each in [0, C).
// Guarantee: finite for finite scores and N >= 1, whatever classes the batch holds; values are
//            computed in float64. At its kink the hinge has gradient 0.
class OneVsRestHkrLoss final : public Loss {
 public:
  explicit OneVsRestHkrLoss(const HkrOptions& options);

  std::string description() const override { return "Multiclass" + options_.ToString(); }
  double Evaluate(const ScoredBatch& batch, const LossGradient& gradient) override;
  std::vector<Metric> Metrics(ConstMatrixView scores,
                              std::span<const std::int32_t> labels) const override;

 private:
  HkrOptions options_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_ONE_VS_REST_LOSSES_H_
