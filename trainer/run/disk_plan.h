// SPDX-License-Identifier: Apache-2.0
// Predicts, before the first step, how much disk space a training run will use.
#ifndef TRAINER_RUN_DISK_PLAN_H_
#define TRAINER_RUN_DISK_PLAN_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "trainer/training/training_loop.h"

namespace lipserve::trainer {

struct DiskPlan {
  std::uint64_t checkpoint_bytes = 0;  // at most, with the records of all epochs
  std::uint64_t model_bytes = 0;
  std::uint64_t report_bytes = 0;  // at most, report.html and metrics.json together

  // The most that the files take at a time. Each is written beside the one that it replaces, and
  // the last checkpoint stays until everything else is written.
  std::uint64_t peak_bytes() const;
};

// `model_bytes`: size of the frozen model's file.
DiskPlan PlanDisk(TrainingLoop& loop, std::uint64_t model_bytes);

// What the system allows the process to write to a folder; huge numbers where it does not say.
struct DiskSpace {
  std::uint64_t available_bytes = 0;  // to users other than root
  std::uint64_t max_file_bytes = 0;   // `ulimit -f`
  std::uint64_t available_files = 0;
};

DiskSpace ReadDiskSpace(const std::string& folder);

// Errors: ResourceExhausted, naming the folder, what is needed, what there is and what to do, if
//         the files do not fit; InvalidArgument if a checkpoint would be larger than protobuf can
//         read.
absl::Status CheckFits(const DiskPlan& plan, const DiskSpace& space, const std::string& folder);

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_DISK_PLAN_H_
