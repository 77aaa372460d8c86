// SPDX-License-Identifier: Apache-2.0
// How long a training will take, from measured steps (TrainingLoop::ProfileSteps).
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
  double step_seconds = 0.0;   // the median of the measured ones
  double epoch_seconds = 0.0;  // with validation
  // Without freezing, evaluation and attack, which come after.
  double training_seconds = 0.0;
};

// Measures some steps and batches of validation. The first of each compiles kernels, so it is not
// timed. Then it times as many steps as take a fiftieth of the training, but at most a second and
// at most 20 steps.
//
// Guarantee: no byte of the run depends on it.
// Requires:  !loop.finished().
TimeEstimate EstimateTime(TrainingLoop& loop, const Clock& clock);

// "about 19 min: 20 epochs of 56 s, 372 steps of 139 ms each and validation".
std::string DescribeTimeEstimate(const TimeEstimate& estimate);

// A warning if `threads` threads are slower than one.
std::string SlowThreadsWarning(const TimeEstimate& estimate, int threads,
                               const TimeEstimate& with_one);

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_TIME_ESTIMATE_H_
