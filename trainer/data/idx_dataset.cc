// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/idx_dataset.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <future>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "proto/idx/idx_file.h"

namespace lipserve::trainer {
namespace {

constexpr char kTrain[] = "train";
constexpr char kTest[] = "t10k";

// Two files as stored.
struct IdxSplit {
  std::string images_path;
  std::string labels_path;
  IdxArray images;
  IdxArray labels;
};

absl::StatusOr<std::string> FindIdxFile(const std::string& folder, const std::string& name) {
  const std::filesystem::path plain = std::filesystem::path(folder) / name;
  const std::filesystem::path zipped = std::filesystem::path(folder) / (name + ".gz");
  std::error_code ignored;
  const bool has_plain = std::filesystem::exists(plain, ignored);
  const bool has_zipped = std::filesystem::exists(zipped, ignored);
  if (has_plain && has_zipped) {
    return absl::InvalidArgumentError(absl::StrCat("data folder ", folder, ": both ", name, " and ",
                                                   name,
                                                   ".gz exist: expected one, move the other away"));
  }
  if (!has_plain && !has_zipped) {
    return absl::NotFoundError(absl::StrCat("data folder ", folder, ": expected ", name, " or ",
                                            name, ".gz, found neither: check --data"));
  }
  return has_plain ? plain.string() : zipped.string();
}

std::string DimensionsToString(const IdxArray& array) {
  return absl::StrCat("[", absl::StrJoin(array.dimensions, ", "), "]");
}

absl::Status CheckSplit(const IdxSplit& raw) {
  if (raw.images.dimensions.size() != 3) {
    return absl::InvalidArgumentError(absl::StrCat(
        raw.images_path, ": expected images of dimensions [count, height, width], got ",
        DimensionsToString(raw.images)));
  }
  if (raw.labels.dimensions.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(raw.labels_path,
                                                   ": expected labels of dimensions [count], got ",
                                                   DimensionsToString(raw.labels)));
  }
  if (raw.images.dimensions[0] != raw.labels.dimensions[0]) {
    return absl::InvalidArgumentError(
        absl::StrCat(raw.images_path, " has ", raw.images.dimensions[0], " images but ",
                     raw.labels_path, " has ", raw.labels.dimensions[0],
                     " labels: expected as many; are the files of one dataset?"));
  }
  if (raw.images.values.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        raw.images_path, ": expected images, got none: ", DimensionsToString(raw.images)));
  }
  return absl::OkStatus();
}

absl::StatusOr<RawSamples> ReadSplit(const std::string& folder, const std::string& prefix) {
  IdxSplit raw;
  LIPSERVE_ASSIGN_OR_RETURN(raw.images_path, FindIdxFile(folder, prefix + "-images-idx3-ubyte"));
  LIPSERVE_ASSIGN_OR_RETURN(raw.labels_path, FindIdxFile(folder, prefix + "-labels-idx1-ubyte"));
  LIPSERVE_ASSIGN_OR_RETURN(raw.labels, ReadIdxFile(raw.labels_path));
  LIPSERVE_ASSIGN_OR_RETURN(raw.images, ReadIdxFile(raw.images_path));
  LIPSERVE_RETURN_IF_ERROR(CheckSplit(raw));
  return RawSamples{.images_path = std::move(raw.images_path),
                    .labels_path = std::move(raw.labels_path),
                    .shape = {1, static_cast<std::size_t>(raw.images.dimensions[1]),
                              static_cast<std::size_t>(raw.images.dimensions[2])},
                    .pixels = std::move(raw.images.values),
                    .labels = {raw.labels.values.begin(), raw.labels.values.end()}};
}

}  // namespace

absl::StatusOr<RawDataset> ReadIdxDataset(const std::string& folder, WhichFiles which) {
  RawDataset dataset;
  if (which == WhichFiles::kTestIfPresent) {
    LIPSERVE_ASSIGN_OR_RETURN(dataset.test, ReadSplit(folder, kTest));
    return dataset;
  }
  // Unzipping dominates the start of a run, so both splits are read at once.
  auto test_future = std::async(std::launch::async, [&folder] { return ReadSplit(folder, kTest); });
  absl::StatusOr<RawSamples> train = ReadSplit(folder, kTrain);
  absl::StatusOr<RawSamples> test = test_future.get();
  LIPSERVE_RETURN_IF_ERROR(train.status());
  LIPSERVE_RETURN_IF_ERROR(test.status());
  dataset.train = *std::move(train);
  dataset.test = *std::move(test);
  return dataset;
}

}  // namespace lipserve::trainer
