// SPDX-License-Identifier: Apache-2.0
// A whole run of lipserve-train: output folder, data, training with a checkpoint after every epoch,
// freezing, files.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(const auto run, TrainingRun::Start(options));
//   if (run->already_finished()) return absl::OkStatus();
//   LIPSERVE_RETURN_IF_ERROR(run->Train(progress));
//   LIPSERVE_ASSIGN_OR_RETURN(const FreezeResult frozen, run->Finish(progress.epoch_seconds()));
#ifndef TRAINER_RUN_TRAINING_RUN_H_
#define TRAINER_RUN_TRAINING_RUN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/data/dataset.h"
#include "trainer/run/freeze.h"
#include "trainer/run/output_folder.h"
#include "trainer/training/training_loop.h"

namespace lipserve::trainer {

// What to run. The calling thread's OpenMP team is `threads` wide already.
struct RunOptions {
  v1::Recipe recipe;
  std::string data_folder;
  std::string out_folder;
  int threads = 1;
  std::size_t attack_images = 0;  // to attack for the report; not part of the model
  bool resume = false;            // continue a run that was stopped, or start it if there is none
  bool overwrite = false;         // remove what an earlier run left in out_folder
};

// Guarantee: however often and whenever the process is killed, resuming until the end gives the
//            same bytes of model.lip as the uninterrupted run.
// Threads:   not thread-safe.
class TrainingRun {
 public:
  // Opens the folder, loads the data, builds the network and restores the checkpoint if there is
  // one to resume.
  //
  // Errors: InvalidArgument with both resume and overwrite; FailedPrecondition if the folder holds
  //         an earlier run and neither is set, or if it is of another recipe, seed, thread count or
  //         dataset; what its parts return.
  static absl::StatusOr<std::unique_ptr<TrainingRun>> Start(const RunOptions& options);

  // Whether the run to resume has its model.lip already. Then there is nothing to do, and no data
  // was loaded.
  bool already_finished() const { return loop_ == nullptr; }

  const OutputFolder& folder() const { return folder_; }
  // Both require !already_finished().
  const Dataset& dataset() const { return *dataset_; }
  TrainingLoop& loop() { return *loop_; }

  // Rehearses the end of the run (RehearseFinish). Then removes an earlier run if `overwrite` is
  // set, and trains the epochs that are left, with a checkpoint after each.
  //
  // Errors: those of RehearseFinish, RunEpoch and WriteCheckpoint. The last checkpoint that was
  //         written is intact, and named.
  absl::Status Train(TrainingObserver& observer);

  // Freezes, writes model.lip, metrics.json and report.html and removes the checkpoint.
  // `epoch_seconds` are the times of the last epochs, for metrics and report.
  absl::StatusOr<FreezeResult> Finish(const std::vector<double>& epoch_seconds);

 private:
  TrainingRun(RunOptions options, OutputFolder folder)
      : options_(std::move(options)), folder_(std::move(folder)) {}

  absl::Status PrepareFolder();
  absl::Status Prepare();
  absl::StatusOr<FreezeResult> FreezeAndWrite(const std::vector<double>& epoch_seconds);
  // Says in an error that the checkpoint of `epochs` epochs is kept, and how to go on from it.
  absl::Status WithLastCheckpoint(const absl::Status& status, std::int64_t epochs) const;

  const RunOptions options_;
  const OutputFolder folder_;
  std::optional<Dataset> dataset_;
  std::unique_ptr<TrainingLoop> loop_;  // borrows dataset_
};

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_TRAINING_RUN_H_
