// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/disk_plan.h"

#include <sys/resource.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_format.h"
#include "trainer/run/checkpoint.h"

namespace lipserve::trainer {
namespace {

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kDiskKiB = 1024;
constexpr std::uint64_t kDiskMiB = kDiskKiB * kDiskKiB;
// Tags, lengths and a checksum around what a file holds.
constexpr std::uint64_t kBytesAroundValue = 16;
// Text of a number in JSON, with a comma, quotes and spaces.
constexpr std::uint64_t kBytesOfNumber = 32;
// Page, style, script and charts of a report without data.
constexpr std::uint64_t kEmptyReport = kDiskMiB;
constexpr std::uint64_t kReportImages = 36;
constexpr std::uint64_t kSingularValues = 160;
// Checkpoint, model, metrics and report, and the one that replaces another.
constexpr std::uint64_t kInodes = 5;

// Names and numbers of the metrics of one epoch: each has one of training and one of validation.
std::uint64_t EpochBytes(const TrainingLoop& loop, std::uint64_t bytes_of_number) {
  std::uint64_t bytes = bytes_of_number;
  for (const std::string& name : loop.ValidationMetricNames()) {
    bytes += 2 * (name.size() + bytes_of_number);
  }
  return bytes;
}

std::uint64_t ReportBytes(const TrainingLoop& loop) {
  const Samples& samples = loop.dataset().evaluation();
  const std::uint64_t classes = samples.class_names.size();
  const auto epochs = static_cast<std::uint64_t>(loop.recipe().epochs());
  std::uint64_t bytes = kEmptyReport + 2 * loop.recipe().ByteSizeLong();
  bytes += 2 * epochs * EpochBytes(loop, kBytesOfNumber);              // in both files
  bytes += 2 * classes * (classes + kBytesOfNumber) * kBytesOfNumber;  // confusion and classes
  bytes += kReportImages * (2 * samples.shape.size() + kDiskKiB);
  bytes += 2 * loop.network().layers().size() * (kSingularValues * kBytesOfNumber + kDiskKiB);
  return bytes;
}

std::uint64_t InMiB(std::uint64_t bytes) { return (bytes + kDiskMiB - 1) / kDiskMiB; }

}  // namespace

std::uint64_t DiskPlan::peak_bytes() const {
  return checkpoint_bytes + std::max(checkpoint_bytes, model_bytes + report_bytes);
}

DiskPlan PlanDisk(TrainingLoop& loop, std::uint64_t model_bytes) {
  std::uint64_t checkpoint = kDiskKiB + loop.recipe().ByteSizeLong();
  for (const NamedArrayReference& array : loop.Arrays()) {
    checkpoint += array.values->size() * sizeof(float) + array.name.size() + kBytesAroundValue;
  }
  checkpoint +=
      static_cast<std::uint64_t>(loop.recipe().epochs()) * EpochBytes(loop, kBytesAroundValue);
  return {.checkpoint_bytes = checkpoint,
          .model_bytes = model_bytes,
          .report_bytes = ReportBytes(loop)};
}

DiskSpace ReadDiskSpace(const std::string& folder) {
  DiskSpace space{kUnlimited, kUnlimited, kUnlimited};
  struct statvfs disk {};
  if (statvfs(folder.c_str(), &disk) == 0) {
    space.available_bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    // Some file systems have no fixed number of files and say 0.
    if (disk.f_files > 0) space.available_files = disk.f_favail;
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    space.max_file_bytes = limit.rlim_cur;
  }
  return space;
}

absl::Status CheckFits(const DiskPlan& plan, const DiskSpace& space, const std::string& folder) {
  if (plan.checkpoint_bytes > kMaxCheckpointBytes) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "output folder %s: expected checkpoints of at most %d MiB, got %d MiB of weights, state of "
        "the optimizer and records of epochs: lower the sizes of the layers, or the epochs",
        folder, kMaxCheckpointBytes / kDiskMiB, InMiB(plan.checkpoint_bytes)));
  }
  const std::uint64_t largest =
      std::max({plan.checkpoint_bytes, plan.model_bytes, plan.report_bytes});
  if (largest > space.max_file_bytes) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "output folder %s: expected to be allowed files of %d MiB, got a limit of %d KiB: raise it "
        "with ulimit -f",
        folder, InMiB(largest), space.max_file_bytes / kDiskKiB));
  }
  if (plan.peak_bytes() > space.available_bytes) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "output folder %s: expected %d MiB of free space (two checkpoints of %d MiB, or one with a "
        "model of %d and a report of %d), got %d MiB: make room, or choose another --out",
        folder, InMiB(plan.peak_bytes()), InMiB(plan.checkpoint_bytes), InMiB(plan.model_bytes),
        InMiB(plan.report_bytes), space.available_bytes / kDiskMiB));
  }
  if (space.available_files < kInodes) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "output folder %s: expected that its file system can hold %d more files, got %d free "
        "inodes: remove files there, or choose another --out",
        folder, kInodes, space.available_files));
  }
  return absl::OkStatus();
}

}  // namespace lipserve::trainer
