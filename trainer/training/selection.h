// SPDX-License-Identifier: Apache-2.0
// Which epoch's weights become the model, and when to stop early.
#ifndef TRAINER_TRAINING_SELECTION_H_
#define TRAINER_TRAINING_SELECTION_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/checkpoint.pb.h"
#include "lipserve/v1/recipe.pb.h"

namespace lipserve::trainer {

// "highest val_accuracy, patience 5".
std::string DescribeSelection(const v1::SelectionSpec& spec);

// Guarantee: all results depend on the history of the epochs alone, which a checkpoint holds.
class Selection {
 public:
  // `metrics` are the names that the records will have.
  //
  // Errors: InvalidArgument naming the field, what was expected and found.
  static absl::StatusOr<Selection> Create(const v1::SelectionSpec& spec,
                                          const std::vector<std::string>& metrics);

  // Index in `history` of the best epoch, the earliest among equals. An epoch counts as better only
  // if it improves by more than min_improvement. Requires: history is not empty.
  std::size_t Best(std::span<const v1::EpochRecord> history) const;

  // Whether the last `patience` epochs were no better than one before them.
  bool ShouldStop(std::span<const v1::EpochRecord> history) const;

 private:
  explicit Selection(const v1::SelectionSpec& spec) : spec_(spec) {}

  double ValueOf(const v1::EpochRecord& record) const;

  v1::SelectionSpec spec_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_TRAINING_SELECTION_H_
