// SPDX-License-Identifier: Apache-2.0
// Losses of a single score f with labels y: +1 for label 0, -1 for label 1.
//
//   KR          mean of f over y = +1  -  mean of f over y = -1
//   hinge       mean of relu(bend - y f)
//   loss        hinge_weight * hinge - kr_weight * KR
//
// KR is the batch's own estimate of the Wasserstein-1 distance (each mean over the batch's own
// count); a class that is missing from the batch contributes 0. Weights and bend: hkr_terms.h.
//
// Source: Serrurier et al. 2021, "Achieving robustness in classification using optimal transport
//         with hinge regularization", arXiv:2006.06520; deel-lip and deel-torchlip.
#ifndef TRAINER_LOSSES_BINARY_LOSSES_H_
#define TRAINER_LOSSES_BINARY_LOSSES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "trainer/losses/hkr_terms.h"
#include "trainer/losses/loss.h"

namespace lipserve::trainer {

// KR, hinge, or both: HKR.
//
// Shapes:    scores, gradient: [N, 1]; labels: N, each 0 or 1.
// Guarantee: finite for finite scores and N >= 1, whatever classes the batch holds; values are
//            computed in float64. At its kink the hinge has gradient 0.
class BinaryHkrLoss final : public Loss {
 public:
  explicit BinaryHkrLoss(const HkrOptions& options);

  std::string description() const override { return options_.ToString(); }
  double Evaluate(const ScoredBatch& batch, const LossGradient& gradient) override;
  std::vector<Metric> Metrics(ConstMatrixView scores,
                              std::span<const std::int32_t> labels) const override;

 private:
  HkrOptions options_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_BINARY_LOSSES_H_
