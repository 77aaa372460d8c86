// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/checkpoint.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipserve/v1/checkpoint.pb.h"
#include "model/foundation/status_macros.h"
#include "model/network/sealed_file.h"
#include "trainer/recipes/recipe_file.h"

namespace lipserve::trainer {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are stored little-endian");

SealedFileKind CheckpointKind() { return {"lipserve.checkpoint", 1}; }

absl::Status Corrupt(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": not a checkpoint of this program: ", what,
                   "; continue with the program that wrote it, or start anew with "
                   "--overwrite, which removes it"));
}

// Whether the checkpoint belongs to this run.
absl::Status CheckSameRun(const std::string& path, const v1::CheckpointContent& content,
                          int threads, const TrainingLoop& loop) {
  std::string differences = DescribeDifferences(content.recipe(), loop.recipe());
  if (content.threads() != threads) {
    absl::StrAppend(&differences, "modified: threads: ", content.threads(), " -> ", threads, "\n");
  }
  if (content.dataset_sha256() != loop.dataset().sha256) {
    absl::StrAppend(&differences, "modified: dataset SHA-256: ", ToHex(content.dataset_sha256()),
                    " -> ", ToHex(loop.dataset().sha256), "\n");
  }
  if (differences.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": this checkpoint is of another run (checkpoint -> now):\n", differences,
                   "Resume with what it was started with, or start anew with --overwrite, which "
                   "removes it"));
}

absl::Status CheckProgress(const std::string& path, const v1::CheckpointContent& content) {
  if (content.epochs_done() != content.history_size() || content.epochs_done() < 1 ||
      content.epochs_done() > content.recipe().epochs() || content.steps_done() < 0) {
    return Corrupt(path, absl::StrCat("expected 1 to ", content.recipe().epochs(),
                                      " epochs done with one record each, got ",
                                      content.epochs_done(), " with ", content.history_size()));
  }
  return absl::OkStatus();
}

absl::Status CheckArrays(const std::string& path, const v1::CheckpointContent& content,
                         const std::vector<NamedArrayReference>& arrays) {
  if (static_cast<std::size_t>(content.arrays_size()) != arrays.size()) {
    return Corrupt(
        path, absl::StrCat("expected ", arrays.size(), " arrays, got ", content.arrays_size()));
  }
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const v1::NamedArray& stored = content.arrays(static_cast<int>(i));
    const std::size_t expected_bytes = arrays[i].values->size() * sizeof(float);
    if (stored.name() != arrays[i].name || stored.values_fp32().size() != expected_bytes) {
      return Corrupt(
          path, absl::StrCat("array ", i, ": expected ", arrays[i].name, " of ", expected_bytes,
                             " bytes, got ", stored.name(), " of ", stored.values_fp32().size()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteCheckpoint(const std::string& path, int threads, TrainingLoop& loop) {
  v1::CheckpointContent content;
  *content.mutable_recipe() = loop.recipe();
  content.set_threads(threads);
  content.set_dataset_sha256(loop.dataset().sha256);
  content.set_epochs_done(loop.epochs_done());
  content.set_steps_done(loop.optimizer().steps);
  for (const NamedArrayReference& array : loop.Arrays()) {
    v1::NamedArray& stored = *content.add_arrays();
    stored.set_name(array.name);
    stored.mutable_values_fp32()->resize(array.values->size() * sizeof(float));
    std::memcpy(stored.mutable_values_fp32()->data(), array.values->data(),
                stored.values_fp32().size());
  }
  for (const v1::EpochRecord& record : loop.history()) *content.add_history() = record;
  if (content.ByteSizeLong() > kMaxCheckpointBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected at most ", kMaxCheckpointBytes,
                                                   " bytes, which protobuf can read, got ",
                                                   content.ByteSizeLong()));
  }
  return WriteSealedFile(path, CheckpointKind(), content.SerializeAsString());
}

absl::Status RestoreCheckpoint(const std::string& path, int threads, TrainingLoop& loop) {
  LIPSERVE_ASSIGN_OR_RETURN(const SealedContent sealed, ReadSealedFile(path, CheckpointKind()));
  v1::CheckpointContent content;
  if (!content.ParseFromString(sealed.bytes)) {
    return Corrupt(path, "its content is not a CheckpointContent message");
  }
  const std::vector<NamedArrayReference> arrays = loop.Arrays();
  LIPSERVE_RETURN_IF_ERROR(CheckSameRun(path, content, threads, loop));
  LIPSERVE_RETURN_IF_ERROR(CheckProgress(path, content));
  LIPSERVE_RETURN_IF_ERROR(CheckArrays(path, content, arrays));
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const std::string& bytes = content.arrays(static_cast<int>(i)).values_fp32();
    std::memcpy(arrays[i].values->data(), bytes.data(), bytes.size());
  }
  loop.optimizer().steps = content.steps_done();
  loop.RestoreHistory({content.history().begin(), content.history().end()});
  return absl::OkStatus();
}

}  // namespace lipserve::trainer
