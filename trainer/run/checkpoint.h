// SPDX-License-Identifier: Apache-2.0
// The whole state of a training run between two epochs, on disk.
// Format: proto/lipserve/v1/checkpoint.proto.
#ifndef TRAINER_RUN_CHECKPOINT_H_
#define TRAINER_RUN_CHECKPOINT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "trainer/training/training_loop.h"

namespace lipserve::trainer {

// Name of the file in the output folder.
inline constexpr char kCheckpointFileName[] = "checkpoint.lip";

// Protobuf reads at most 2 GiB; a little is left for the envelope of the file.
inline constexpr std::uint64_t kMaxCheckpointBytes = (std::uint64_t{1} << 31U) - (1U << 20U);

// Writes the state of `loop` atomically: a crash leaves the old checkpoint or the new one.
//
// Errors: Internal, naming the path and the system's reason; InvalidArgument if it would have more
//         than kMaxCheckpointBytes.
absl::Status WriteCheckpoint(const std::string& path, int threads, TrainingLoop& loop);

// Puts `loop`, made from the same recipe and dataset, into the state of the checkpoint.
//
// Guarantee: continued training gives the same bytes as the uninterrupted run.
// Errors:    NotFound, InvalidArgument or DataLoss if the file is not a whole checkpoint;
//            FailedPrecondition if it is of another recipe, seed, thread count or dataset, naming
//            the differences. `loop` is unchanged on errors.
absl::Status RestoreCheckpoint(const std::string& path, int threads, TrainingLoop& loop);

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_CHECKPOINT_H_
