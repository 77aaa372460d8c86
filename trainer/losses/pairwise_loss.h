// SPDX-License-Identifier: Apache-2.0
// Shared by the losses that depend on a sample only through the differences of its label's score to
// the others,
//
//   d_j = f_y - f_j for each class j != y;   with a single score f, the one number y f
//
// or through its certified margins m_j = d_j / D_j, D_j the distance of the label's row of the head
// to row j: m_j is how far the input must move before class j's score can equal the label's, in
// units of the input, if the layers before the head are 1-Lipschitz. Scaling the head changes
// neither the classes nor these margins, so an unconstrained head gains nothing by growing.
#ifndef TRAINER_LOSSES_PAIRWISE_LOSS_H_
#define TRAINER_LOSSES_PAIRWISE_LOSS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "trainer/losses/loss.h"
#include "trainer/losses/pair_distances.h"

namespace lipserve::trainer {

// What the loss is computed from.
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
  // The input of SampleLoss for one sample. The spans have one number for each class except the
  // label's.
  struct Sample {
    std::span<const double> margins;      // d_j or m_j, as constructed
    std::span<const double> distances;    // D_j; empty unless the loss asked for them
    std::span<double> margin_gradient;    // d loss / d margins, to be overwritten
    std::span<double> distance_gradient;  // likewise; comes as 0
  };

  // `needs_distances`: SampleLoss itself reads D.
  PairwiseLoss(MarginKind kind, bool needs_distances)
      : kind_(kind), uses_distances_(needs_distances || kind == MarginKind::kCertified) {}

  virtual double SampleLoss(const Sample& sample) const = 0;

 private:
  // Writes d_j of sample i, and D_j.
  void ReadSample(const ScoredBatch& batch, std::size_t i);
  // Divides d_j by D_j, and converts the gradient of m_j to those of d_j and D_j.
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
