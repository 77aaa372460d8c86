// SPDX-License-Identifier: Apache-2.0
// Learning curves for TensorBoard: an event file with the metrics of every epoch.
//
// A file is a sequence of records, first {file_version: "brain.Event:2"}:
//   uint64  length of the data
//   uint32  masked CRC-32C of those 8 bytes
//   data    a TensorBoardEvent
//   uint32  masked CRC-32C of the data
// with little-endian integers. Metrics "loss" and "val_loss" become the curves "loss/train" and
// "loss/validation", which TensorBoard shows together; the step is the epoch.
//
// Source: TensorFlow, core/lib/io/record_writer.cc and core/util/events_writer.cc.
#ifndef TRAINER_RUN_TENSORBOARD_LOG_H_
#define TRAINER_RUN_TENSORBOARD_LOG_H_

#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/training/training_loop.h"

namespace lipserve::trainer {

// Returns seconds since 1970. Passed in so that tests can control it.
using WallClock = std::function<double()>;

// Each run, resumed or not, writes a file of its own; TensorBoard joins those of a folder.
//
// Threads: not thread-safe.
class TensorBoardLog final : public TrainingObserver {
 public:
  // Creates `folder` where needed and in it "events.out.tfevents.<seconds>.lipserve".
  //
  // Errors: Internal, naming the path and the system's reason; AlreadyExists if the file is there.
  static absl::StatusOr<std::unique_ptr<TensorBoardLog>> Create(const std::string& folder,
                                                                WallClock clock);

  void OnEpochBegin(std::int64_t, std::int64_t, std::int64_t) override {}
  void OnStep(std::int64_t, const MetricMeans&) override {}
  void OnEpochEnd(const v1::EpochRecord& record) override;

  const std::string& path() const { return path_; }
  // Errors: Internal, naming the path, if anything could not be written.
  absl::Status status() const;

 private:
  TensorBoardLog(std::string path, WallClock clock);

  void Write(const std::string& event);

  const std::string path_;
  const WallClock clock_;
  std::ofstream file_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_TENSORBOARD_LOG_H_
