// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/rehearsal.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "model/loading_cost.h"
#include "trainer/run/disk_plan.h"
#include "trainer/run/freeze.h"

namespace lipserve::trainer {
namespace {

// Removes a file when it goes out of scope.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }
  std::uint64_t size() const {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(path_, error);
    return error ? 0 : size;
  }

 private:
  const std::string path_;
};

absl::Status Rehearse(TrainingLoop& loop, const OutputFolder& folder) {
  DiskSpace space = ReadDiskSpace(folder.path());
  space.available_bytes += folder.ReplaceableBytes();
  // The size of the model is known once it is written, which needs room itself.
  LIPSERVE_RETURN_IF_ERROR(CheckFits(PlanDisk(loop, 0), space, folder.path()));
  LIPSERVE_ASSIGN_OR_RETURN(FrozenModel model, FreezeWeights(loop));
  LIPSERVE_RETURN_IF_ERROR(ProveFrozen(model).status());
  const TemporaryFile file(folder.rehearsal_path());
  LIPSERVE_RETURN_IF_ERROR(WriteAndReadBack(file.path(), model));
  return CheckFits(PlanDisk(loop, file.size()), space, folder.path());
}

}  // namespace

absl::Status RehearseFinish(TrainingLoop& loop, const OutputFolder& folder) {
  absl::Status status = Rehearse(loop, folder);
  if (status.ok()) return status;
  return {status.code(), absl::StrCat(std::string(status.message()),
                                      "; this was checked before training, no step was made")};
}

std::string ServingWarning(const TrainingLoop& loop) {
  constexpr std::size_t kServerBatch = 16;
  const absl::Status status = CheckLoadingCost(loop.network().Freeze(), kServerBatch, {});
  if (status.ok()) return "";
  return absl::StrCat("warning: a server with its default limits will not load this model: ",
                      std::string(status.message()));
}

}  // namespace lipserve::trainer
