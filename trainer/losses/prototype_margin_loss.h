// SPDX-License-Identifier: Apache-2.0
// The hinge on the radius that prototypes prove:
//
//   mean of relu(margin - r),   r = min over j of (f_i - f_j) / ||p_i - p_j||
//
// over the prototypes j of the other classes, i the nearest of the label's, f the scores of
// NearestPrototype. r is negative where another class's prototype is nearer. Each sample's gradient
// moves the two prototypes of its smallest ratio.
//
// With inputs in the unit box, r is the distance to the nearest point of [0, 1]^n that is as near
// to p_j as to p_i (unit_box.h), for the few j with the smallest plain ratios. A negative ratio is
// kept as it is.
//
// Source: Voracek, Hein 2022, arXiv:2207.07208; the box is ours.
#ifndef TRAINER_LOSSES_PROTOTYPE_MARGIN_LOSS_H_
#define TRAINER_LOSSES_PROTOTYPE_MARGIN_LOSS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "trainer/losses/loss.h"
#include "trainer/losses/prototype_pairs.h"

namespace lipserve::trainer {

// What a recipe decides.
struct PrototypeMarginOptions {
  double margin = 1.0;  // positive
  bool inputs_in_unit_box = false;
};

// Shapes:    batch.scores: [N, C K], batch.head: the prototypes, batch.features: what they scored.
// Guarantee: finite for finite scores, prototypes and features. Distances below 1e-6 count as that.
class PrototypeMarginLoss final : public Loss {
 public:
  PrototypeMarginLoss(const PrototypeMarginOptions& options, std::size_t prototypes_per_class);

  std::string description() const override;
  bool UsesHead() const override { return true; }
  double Evaluate(const ScoredBatch& batch, const LossGradient& gradient) override;
  std::vector<Metric> Metrics(ConstMatrixView scores,
                              std::span<const std::int32_t> labels) const override;

 private:
  // The pair that limits a sample, and the step d that reaches its boundary.
  struct Limit {
    std::size_t own = 0;
    std::size_t other = 0;
    double radius = 0.0;
    double slope = 0.0;         // d radius / d (f_own - f_other)
    std::vector<double> along;  // d radius / d p_own, and the opposite of d radius / d p_other
  };

  // Fills limit_ for sample n.
  void FindLimit(const ScoredBatch& batch, std::size_t n);
  // Set limit_ for one pair without the box, and for sample n in the box.
  void SetPlainLimit(const ScoredBatch& batch, const PrototypeRatio& pair);
  void SetLimitInBox(const ScoredBatch& batch, std::size_t n);
  void AddGradient(std::size_t n, double share, const LossGradient& gradient) const;

  PrototypeMarginOptions options_;
  const std::size_t prototypes_per_class_;
  PrototypePairs pairs_;
  Limit limit_;
  std::vector<double> between_;  // p_other - p_own of the pair at hand
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_PROTOTYPE_MARGIN_LOSS_H_
