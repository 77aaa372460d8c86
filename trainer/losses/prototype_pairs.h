// SPDX-License-Identifier: Apache-2.0
// The pair of prototypes that limits a sample's radius: the nearest one of its label, p_i, and the
// one of another class with the smallest ratio (f_i - f_j) / ||p_i - p_j||, where f are the scores
// of NearestPrototype. The ratio is the distance to the points that are as near to p_j as to p_i.
//
// Few distances need to be computed. As ||x - p||^2 = ||x||^2 - 2 f, and a pair is at most ||x -
// p_i|| + ||x - p_j|| apart, a ratio has a lower bound that does not need the pair's distance.
//
// A target of a loss, not a proof; see pair_distances.h.
#ifndef TRAINER_LOSSES_PROTOTYPE_PAIRS_H_
#define TRAINER_LOSSES_PROTOTYPE_PAIRS_H_

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "trainer/losses/loss.h"

namespace lipserve::trainer {

// Smaller distances count as this, so that equal prototypes give large ratios and no NaN.
inline constexpr double kSmallestPrototypeDistance = 1e-6;

// A prototype of another class, compared with the sample's own.
struct PrototypeRatio {
  std::size_t other = 0;
  double difference = 0.0;  // f_own - f_other
  double ratio = 0.0;
};

// Finds pairs; keeps its buffers.
//
// Threads: not thread-safe.
class PrototypePairs {
 public:
  // Finds the pairs of sample n with the `count` least ratios. At least one class is not the
  // sample's, and batch.features and batch.head are those of the scores.
  //
  // Requires: count >= 1; batch.scores_per_class divides the scores.
  void Find(const ScoredBatch& batch, std::size_t n, std::size_t count);

  // The sample's own prototype.
  std::size_t own() const { return own_; }
  // In ascending order of ratio; `count` of them unless there are fewer prototypes.
  std::span<const PrototypeRatio> pairs() const { return pairs_; }

 private:
  // Keeps a pair if its ratio is among the smallest so far.
  void KeepIfLeast(const PrototypeRatio& pair, std::size_t count);

  std::size_t own_ = 0;
  std::vector<PrototypeRatio> pairs_;
  // Prototypes of other classes: a bound of each one's ratio from below, and its index.
  std::vector<std::pair<double, std::size_t>> candidates_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_PROTOTYPE_PAIRS_H_
