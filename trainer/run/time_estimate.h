// SPDX-License-Identifier: Apache-2.0
// How long a training will take, from rehearsed steps (TrainingLoop::ProfileSteps).
#ifndef TRAINER_RUN_TIME_ESTIMATE_H_
#define TRAINER_RUN_TIME_ESTIMATE_H_

#include <cstdint>
#include <string>

#include "trainer/run/progress.h"
#include "trainer/training/training_loop.h"

namespace lipserve::trainer {

struct TimeEstimate {
  std::int64_t epochs_left = 0;
  std::int64_t steps_per_epoch = 0;
  double step_seconds = 0.0;   // the median of the rehearsed ones
  double epoch_seconds = 0.0;  // with validation
  // Without freezing, evaluation and attack, which come after.
  double training_seconds = 0.0;
};

// Rehearses some steps and batches of validation: the first of each, which compiles kernels, is not
// timed; then as many as take a fiftieth of the training, a second and 20 of them at most.
//
// Guarantee: no byte of the run depends on it.
// Requires:  !loop.finished().
TimeEstimate EstimateTime(TrainingLoop& loop, const Clock& clock);

// "about 19 min: 20 epochs of 56 s, 372 steps of 139 ms each and validation".
std::string DescribeTimeEstimate(const TimeEstimate& estimate);

// A warning that `threads` take longer than one.
std::string SlowThreadsWarning(const TimeEstimate& estimate, int threads,
                               const TimeEstimate& with_one);

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_TIME_ESTIMATE_H_
