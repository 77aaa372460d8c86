// SPDX-License-Identifier: Apache-2.0
// The folder that a training run writes: models/<name>/<version>/ of a model repository.
#ifndef TRAINER_RUN_OUTPUT_FOLDER_H_
#define TRAINER_RUN_OUTPUT_FOLDER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipserve::trainer {

// Locks the folder for this process during its lifetime, so that two runs cannot mix their files.
//
//   checkpoint.lip  the run so far; removed once model.lip is there
//   model.lip       the result
//   metrics.json    metrics of every epoch, evaluation, times
//   report.html     the same for people
class OutputFolder {
 public:
  // Creates the folder where needed, locks it and removes temporary files of killed runs.
  //
  // Errors: Internal if it cannot be created or written, FailedPrecondition if another process
  //         holds it; both name the folder and the system's reason.
  static absl::StatusOr<OutputFolder> Open(const std::string& path);

  ~OutputFolder();
  OutputFolder(OutputFolder&& other) noexcept;
  OutputFolder& operator=(OutputFolder&&) = delete;
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string checkpoint_path() const;
  std::string model_path() const;
  std::string metrics_path() const;
  std::string report_path() const;
  // For a model that is written before training and removed at once. If the process is killed in
  // between, the next Open removes it.
  std::string rehearsal_path() const;

  // Bytes of the run's files that are there; each will be replaced or removed.
  std::uint64_t ReplaceableBytes() const;

  bool HasCheckpoint() const;
  bool HasModel() const;

  // Errors: Internal, naming the file and the system's reason.
  absl::Status RemoveCheckpoint() const;
  absl::Status RemoveAll() const;  // checkpoint, model, metrics and report; nothing else

 private:
  OutputFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_;  // descriptor of the locked folder, or -1 after a move
};

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_OUTPUT_FOLDER_H_
