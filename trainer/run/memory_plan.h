// SPDX-License-Identifier: Apache-2.0
// Predicts, before the first step, how much memory a training run will use.
//
// What is resident before the first step is measured. What each phase adds is computed from the
// recipe's sizes:
//
//   batch       outputs of all layers, two gradients of the widest, what layers and oneDNN keep,
//               two minibatches of each split being prepared, matrices that a step makes, the copy
//               that ProfileSteps restores
//   checkpoint  four copies of what it holds, while it is written
//   freezing    the frozen network in float32, float64 and exact integers, the largest proof of a
//               norm, evaluation and attack in batches of 64, the report
#ifndef TRAINER_RUN_MEMORY_PLAN_H_
#define TRAINER_RUN_MEMORY_PLAN_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "trainer/run/machine_memory.h"
#include "trainer/training/training_loop.h"

namespace lipserve::trainer {

struct MemoryPlan {
  std::size_t loading_bytes = 0;   // the most that was resident so far
  std::size_t resident_bytes = 0;  // now: program, samples, weights, gradients, moments, averages
  std::size_t batch_bytes = 0;     // the rest is added to it
  std::size_t checkpoint_bytes = 0;
  std::size_t freezing_bytes = 0;

  // The peak over all phases. They follow one another; the memory of a batch stays allocated.
  //
  // Guarantee: at least the peak that the run will have reached at its end, and at most twice that,
  //            in the runs of memory_plan_test. It is an estimate with allowances for allocators
  //            and oneDNN's compiled kernels, not a proof.
  std::size_t peak_bytes() const;
};

// Call before the first step. `process` is the memory used so far.
MemoryPlan PlanMemory(TrainingLoop& loop, const ProcessMemory& process);

// "at most 482 MiB: 224 resident, 97 for batches of 128, 20 for checkpoints, 181 to freeze and
// prove; loading took 482".
std::string DescribeMemoryPlan(const MemoryPlan& plan, const TrainingLoop& loop);

// Errors: ResourceExhausted if the plan exceeds all that the machine or its control group has,
//         naming both, the largest part and what makes it smaller.
absl::Status CheckFits(const MemoryPlan& plan, const MachineMemory& machine);

// A warning if the plan exceeds what is free now, else "".
std::string MemoryWarning(const MemoryPlan& plan, const MachineMemory& machine);

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_MEMORY_PLAN_H_
