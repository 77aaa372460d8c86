// SPDX-License-Identifier: Apache-2.0
// A loss of a batch of scores. Labels are class indices; with a single score the first class
// (label 0) is y = +1 and the second (label 1) is y = -1.
#ifndef TRAINER_LOSSES_LOSS_H_
#define TRAINER_LOSSES_LOSS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "model/network/matrix_view.h"

namespace lipserve::trainer {

// A named value of a batch, printed per epoch beside the loss (KR, HingeMargin, accuracy).
struct Metric {
  std::string name;
  double value = 0.0;
};

// Threads: not thread-safe.
class Loss {
 public:
  virtual ~Loss() = default;

  // For the summary, e.g. "HKR(alpha=10, min_margin=1, full margin)".
  virtual std::string description() const = 0;

  // The loss of the batch; writes d loss / d scores to `gradient` unless its data is null.
  //
  // Shapes: scores, gradient: [N, S]; labels: N, each in [0, max(S, 2)).
  virtual double Evaluate(ConstMatrixView scores, std::span<const std::int32_t> labels,
                          MatrixView gradient) const = 0;

  // The terms of this loss and the accuracy, for the batch, in printing order:
  // KR, HingeMargin, accuracy where they apply.
  virtual std::vector<Metric> Metrics(ConstMatrixView scores,
                                      std::span<const std::int32_t> labels) const = 0;
};

// Builds the loss of a recipe for a network with `num_scores` scores.
//
// Errors: InvalidArgument naming the field, what was expected and found.
absl::StatusOr<std::unique_ptr<Loss>> MakeLoss(const v1::LossSpec& spec, std::size_t num_scores);

}  // namespace lipserve::trainer

#endif  // TRAINER_LOSSES_LOSS_H_
