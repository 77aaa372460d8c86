// SPDX-License-Identifier: Apache-2.0
// What the losses share that see a sample only through the differences of its label's score to the
// others,
//
//   d_j = f_y - f_j for each class j != y;   with a single score f, the one number y f
//
// or through its certified margins m_j = d_j / D_j, D_j the distance of the label's row of the head
// to row j: m_j is how far the input must move for class j to catch up, in units of the input, if
// the layers before the head are 1-Lipschitz. The classifier is the same for any multiple of the
// head, and so are its margins: an unconstrained head learns nothing by growing.
#ifndef TRAINER_LOSSES_PAIRWISE_LOSS_H_
#define TRAINER_LOSSES_PAIRWISE_LOSS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "trainer/losses/loss.h"
#include "trainer/losses/pair_distances.h"

namespace lipserve::trainer {

// What a loss of differences looks at.
enum class MarginKind {
  kScores,     // d_j
  kCertified,  // m_j = d_j / D_j
};

// Shapes:    scores: [N, S], S >= 1; labels: N, each in [0, max(S, 2)); head: [S, F].
// Guarantee: finite for finite scores and heads; values are computed in float64.
class PairwiseLoss : public Loss {
 public:
  bool UsesHead() const final { return uses_distances_; }
  double Evaluate(const ScoredBatch& batch, const LossGradient& gradient) final;

 protected:
  // One sample as a loss sees it. The spans have one number for each class but the label's.
  struct Sample {
    std::span<const double> margins;      // d_j or m_j, as constructed
    std::span<const double> distances;    // D_j; empty unless the loss asked for them
    std::span<double> margin_gradient;    // d loss / d margins, to be overwritten
    std::span<double> distance_gradient;  // likewise; comes as 0
  };

  // `needs_distances`: SampleLoss itself looks at D.
  PairwiseLoss(MarginKind kind, bool needs_distances)
      : kind_(kind), uses_distances_(needs_distances || kind == MarginKind::kCertified) {}

  virtual double SampleLoss(const Sample& sample) const = 0;

 private:
  // Writes d_j of sample i, and D_j.
  void ReadSample(const ScoredBatch& batch, std::size_t i);
  // Turns d_j into m_j, and afterwards their gradients back.
  void DivideByDistances();
  void BackwardThroughDivision();
  void WriteGradient(const ScoredBatch& batch, std::size_t i, const LossGradient& gradient);

  const MarginKind kind_;
  const bool uses_distances_;
  PairDistances pairs_;
  // Of one sample.
  std::vector<double> margins_;
  std::vector<double> distances_;
  std::vector<double> margin_gradient_;
  std::vector<double> distance_gradient_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_PAIRWISE_LOSS_H_
