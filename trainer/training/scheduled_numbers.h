// SPDX-License-Identifier: Apache-2.0
// The numbers of a run that change from step to step: the learning rate and the loss's scheduled
// numbers.
#ifndef TRAINER_TRAINING_SCHEDULED_NUMBERS_H_
#define TRAINER_TRAINING_SCHEDULED_NUMBERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/losses/loss.h"
#include "trainer/optimizers/optimizer.h"
#include "trainer/training/schedule.h"

namespace lipserve::trainer {

// Guarantee: the values at a step depend on the recipe, the run's length and the step alone, so a
//            checkpoint holds none of them.
class ScheduledNumbers {
 public:
  // `loss` is the recipe's, in its initial state, and outlives this.
  //
  // Errors: InvalidArgument naming the field, what was expected and found: a wrong schedule, a
  //         schedule of a number that the loss does not have, or one that leaves the number's
  //         range.
  static absl::StatusOr<ScheduledNumbers> Create(const v1::Recipe& recipe, const Schedule::Run& run,
                                                 const Loss& loss);

  // Sets everything for step `step` of the run, from 0.
  void SetForStep(std::int64_t step, Optimizer& optimizer) const;

  // One line for each schedule: "learning_rate: cosine from 1 to 0".
  std::vector<std::string> descriptions() const;

 private:
  struct ScheduledLossNumber {
    std::string name;
    double* value;  // belongs to the loss
    double base;    // the recipe's
    Schedule schedule;
  };

  std::optional<Schedule> learning_rate_;
  std::vector<ScheduledLossNumber> loss_numbers_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_TRAINING_SCHEDULED_NUMBERS_H_
