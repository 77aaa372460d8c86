// SPDX-License-Identifier: Apache-2.0
// A loss of a batch of scores. Labels are class indices; with a single score the first class (label
// 0) is y = +1 and the second (label 1) is y = -1.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(const auto loss, MakeLoss(recipe.loss(), network->num_scores()));
//   const double value = loss->Evaluate({scores, labels}, {score_gradient});
#ifndef TRAINER_LOSSES_LOSS_H_
#define TRAINER_LOSSES_LOSS_H_

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "model/network/matrix_view.h"
#include "trainer/layers/layer.h"
#include "trainer/losses/accuracy.h"

namespace lipserve::trainer {

// A named value of a batch, printed per epoch beside the loss (KR, HingeMargin, accuracy).
struct Metric {
  std::string name;
  double value = 0.0;
};

// The range of a LossParameter that must be positive, and of one without an upper limit.
inline constexpr double kSmallestParameter = std::numeric_limits<double>::min();
inline constexpr double kLargestParameter = std::numeric_limits<double>::max();

// A number of a loss that a schedule may change over the run, under its name in the recipe.
struct LossParameter {
  std::string name;
  double* value = nullptr;  // belongs to the loss
  double lowest = 0.0;      // its range, both ends included
  double highest = 0.0;
};

// A batch as a loss sees it.
struct ScoredBatch {
  ConstMatrixView scores;                // [N, S]
  std::span<const std::int32_t> labels;  // N, each in [0, max(S / scores_per_class, 2))
  // [S, F], the weights that made the scores of F features; only losses that UsesHead() read it.
  ConstMatrixView head = {};
  // [N, F], those features; only the losses and metrics of prototypes read it.
  ConstMatrixView features = {};
  // Scores of one class: its prototypes. The scores of class c start at c times this.
  std::size_t scores_per_class = 1;
};

// Where a loss writes its gradients. Null data: no gradient is wanted.
struct LossGradient {
  MatrixView scores = {};  // [N, S], d loss / d scores
  // [S, F], the part of d loss / d head that does not come through the scores. Losses with
  // UsesHead() write it together with `scores`; others leave it unchanged.
  MatrixView head = {};
};

// Threads: not thread-safe.
class Loss {
 public:
  virtual ~Loss() = default;
  Loss() = default;
  Loss(const Loss&) = delete;
  Loss& operator=(const Loss&) = delete;

  // For the summary, e.g. "HKR(alpha=10, min_margin=1, full margin)".
  virtual std::string description() const = 0;

  // Whether the loss depends on the distances between the head's rows. Then batches must pass the
  // head, and LossGradient a place for its gradient.
  virtual bool UsesHead() const { return false; }

  // Called before each training step, never in validation. A loss with running statistics updates
  // them from the batch's scores.
  virtual void Observe(ConstMatrixView /*scores*/) {}

  // The loss of the batch, a mean over its samples; overwrites `gradient` where it is wanted.
  virtual double Evaluate(const ScoredBatch& batch, const LossGradient& gradient) = 0;

  // The terms of this loss that have a column of their own, then the accuracy, in printing order.
  virtual std::vector<Metric> Metrics(ConstMatrixView scores,
                                      std::span<const std::int32_t> labels) const {
    return {{"accuracy", Accuracy(scores, labels)}};
  }

  // Running statistics: what a checkpoint must hold.
  std::vector<State>& states() { return states_; }

  const std::vector<LossParameter>& parameters() const { return parameters_; }

 protected:
  std::vector<State> states_;
  std::vector<LossParameter> parameters_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_LOSS_H_
