// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "model/network/model_file.h"
#include "trainer/run/checkpoint.h"

namespace lipserve::trainer {
namespace {

namespace fs = std::filesystem;

constexpr char kMetricsFileName[] = "metrics.json";
constexpr char kReportFileName[] = "report.html";
constexpr std::array<const char*, 4> kRunFiles = {kCheckpointFileName, kModelFileName,
                                                  kMetricsFileName, kReportFileName};
constexpr char kTemporary[] = ".tmp.";

bool Exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

absl::Status Remove(const std::string& path) {
  std::error_code error;
  fs::remove(path, error);  // a file that is not there is no error
  if (!error) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(path, ": cannot remove: ", error.message()));
}

// Atomic writes go through "<file>.tmp.<pid>"; a killed run leaves one behind.
absl::Status RemoveTemporaryFiles(const std::string& folder) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    for (const char* file : kRunFiles) {
      if (!name.starts_with(absl::StrCat(file, kTemporary))) continue;
      LIPSERVE_RETURN_IF_ERROR(Remove(entry.path().string()));
    }
  }
  if (!error) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(folder, ": cannot list: ", error.message()));
}

absl::Status Unusable(const std::string& path, const std::string& action,
                      const std::string& reason) {
  return absl::InternalError(absl::StrCat("output folder ", path, ": cannot ", action, ": ", reason,
                                          "; expected a folder that can be written: check --out"));
}

// A file can replace a file, but not a folder or a pipe.
absl::Status CheckReplaceable(const std::string& folder) {
  for (const char* file : kRunFiles) {
    const fs::path path = fs::path(folder) / file;
    std::error_code ignored;
    const fs::file_type type = fs::symlink_status(path, ignored).type();
    if (type == fs::file_type::not_found || type == fs::file_type::regular ||
        type == fs::file_type::symlink) {
      continue;
    }
    return absl::FailedPreconditionError(
        absl::StrCat(path.string(), ": expected a file or nothing, got ",
                     type == fs::file_type::directory ? "a folder" : "something else",
                     ": the run will write a file there; move it away, or choose another --out"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OutputFolder> OutputFolder::Open(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return Unusable(path, "create", error.message());
  const int lock = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0) return Unusable(path, "open", std::strerror(errno));
  OutputFolder folder(path, lock);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Unusable(path, "lock", std::strerror(errno));
    return absl::FailedPreconditionError(absl::StrCat(
        "output folder ", path, ": another lipserve-train is writing to it; wait for it to end, ",
        "or choose another --out"));
  }
  if (access(path.c_str(), W_OK | X_OK) != 0) return Unusable(path, "write", std::strerror(errno));
  LIPSERVE_RETURN_IF_ERROR(RemoveTemporaryFiles(path));
  LIPSERVE_RETURN_IF_ERROR(CheckReplaceable(path));
  return folder;
}

OutputFolder::~OutputFolder() {
  if (lock_ >= 0) close(lock_);
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

std::string OutputFolder::checkpoint_path() const {
  return (fs::path(path_) / kCheckpointFileName).string();
}
std::string OutputFolder::model_path() const { return (fs::path(path_) / kModelFileName).string(); }
std::string OutputFolder::metrics_path() const {
  return (fs::path(path_) / kMetricsFileName).string();
}
std::string OutputFolder::report_path() const {
  return (fs::path(path_) / kReportFileName).string();
}

std::string OutputFolder::rehearsal_path() const {
  return absl::StrCat(model_path(), kTemporary, "rehearsal");
}

std::uint64_t OutputFolder::ReplaceableBytes() const {
  std::uint64_t bytes = 0;
  for (const char* file : kRunFiles) {
    std::error_code error;
    const std::uintmax_t size = fs::file_size(fs::path(path_) / file, error);
    if (!error) bytes += size;
  }
  return bytes;
}

bool OutputFolder::HasCheckpoint() const { return Exists(checkpoint_path()); }
bool OutputFolder::HasModel() const { return Exists(model_path()); }

absl::Status OutputFolder::RemoveCheckpoint() const { return Remove(checkpoint_path()); }

absl::Status OutputFolder::RemoveAll() const {
  LIPSERVE_RETURN_IF_ERROR(Remove(model_path()));
  LIPSERVE_RETURN_IF_ERROR(Remove(metrics_path()));
  LIPSERVE_RETURN_IF_ERROR(Remove(report_path()));
  return RemoveCheckpoint();
}

}  // namespace lipserve::trainer
