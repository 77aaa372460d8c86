// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/dataset.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "model/network/sealed_file.h"
#include "proto/text/label_text.h"
#include "trainer/data/cifar10_dataset.h"
#include "trainer/data/class_selection.h"
#include "trainer/data/hold_out.h"
#include "trainer/data/idx_dataset.h"
#include "trainer/data/image_folder.h"
#include "trainer/data/npy_dataset.h"
#include "trainer/data/raw_samples.h"

namespace lipserve::trainer {
namespace {

absl::StatusOr<RawDataset> ReadFiles(const v1::DatasetSpec& spec, const std::string& folder,
                                     WhichFiles which) {
  switch (spec.format_case()) {
    case v1::DatasetSpec::kIdx:
      return ReadIdxDataset(folder, which);
    case v1::DatasetSpec::kImageFolder:
      return ReadImageFolder(spec, folder, which);
    case v1::DatasetSpec::kCifar10:
      return ReadCifar10Dataset(folder, which);
    case v1::DatasetSpec::kNpy:
      return ReadNpyDataset(folder, which);
    case v1::DatasetSpec::FORMAT_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("recipe: dataset: expected a format, got none");
}

// Whether the files and the recipe's split together yield a set to measure on.
absl::Status CheckSplit(const v1::SplitSpec& split, const RawDataset& raw) {
  if (raw.test.has_value() && split.test() > 0.0) {
    return absl::InvalidArgumentError(
        absl::StrCat("recipe: dataset.split.test: expected 0, since the data has a test set (",
                     raw.test->images_path, "), got ", split.test()));
  }
  if (raw.validation.has_value() && split.validation() > 0.0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "recipe: dataset.split.validation: expected 0, since the data has a validation set (",
        raw.validation->images_path, "), got ", split.validation()));
  }
  if (!raw.test.has_value() && !raw.validation.has_value() && split.test() == 0.0 &&
      split.validation() == 0.0) {
    return absl::InvalidArgumentError(absl::StrCat(
        raw.train->images_path, ": there is no test set beside it: expected dataset.split of the ",
        "recipe to hold samples back, such as \"split { validation: 0.1 test: 0.1 }\""));
  }
  return absl::OkStatus();
}

std::string ShapeText(const SampleShape& shape) {
  return shape.channels == 1
             ? absl::StrFormat("%d x %d", shape.height, shape.width)
             : absl::StrFormat("%d x %d x %d", shape.channels, shape.height, shape.width);
}

absl::Status CheckEqualShapes(const RawSamples& train, const std::optional<RawSamples>& other) {
  if (!other.has_value()) return absl::OkStatus();
  const RawSamples& test = *other;
  if (train.shape == test.shape) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat("%s: expected images of %s like %s, got %s",
                                                    test.images_path, ShapeText(train.shape),
                                                    train.images_path, ShapeText(test.shape)));
}

// Whether a reader of this format takes a file of this name from the folder itself, or it is known
// to hold no samples.
bool IsUsed(const v1::DatasetSpec& spec, const std::string& name) {
  const auto is_one_of = [&name](std::initializer_list<const char*> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  switch (spec.format_case()) {
    case v1::DatasetSpec::kIdx:
      return name.starts_with("train-") || name.starts_with("t10k-");
    case v1::DatasetSpec::kImageFolder:
      return false;
    case v1::DatasetSpec::kCifar10:
      return is_one_of({"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                        "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin",
                        "batches.meta.txt", "readme.html"});
    case v1::DatasetSpec::kNpy:
      return is_one_of({"train_images.npy", "train_labels.npy", "test_images.npy",
                        "test_labels.npy", "val_images.npy", "val_labels.npy"});
    case v1::DatasetSpec::FORMAT_NOT_SET:
      break;
  }
  return true;
}

bool IsDocumentation(const std::string& name) {
  return name.starts_with('.') || name.starts_with("README") || name.starts_with("LICENSE") ||
         name.ends_with(".md");
}

std::vector<std::string> UnusedEntries(const v1::DatasetSpec& spec, const std::string& folder) {
  std::vector<std::string> unused;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    // The reader of image folders reads or refuses every folder.
    if (spec.has_image_folder() && entry.is_directory(ignored)) continue;
    if (!IsDocumentation(name) && !IsUsed(spec, name)) unused.push_back(name);
  }
  std::sort(unused.begin(), unused.end());
  return unused;
}

// Lengths precede their data, so that no two datasets serialise to the same bytes.
void AppendForDigest(const Samples& samples, std::string& bytes) {
  absl::StrAppend(&bytes, samples.shape.channels, "x", samples.shape.height, "x",
                  samples.shape.width, "x", samples.size(), ";");
  for (const std::string& name : samples.class_names) {
    absl::StrAppend(&bytes, name.size(), ":", name, ";");
  }
  for (const std::int32_t label : samples.labels) absl::StrAppend(&bytes, label, ",");
  bytes.append(samples.pixels.begin(), samples.pixels.end());
}

}  // namespace

absl::StatusOr<Dataset> LoadDataset(const v1::DatasetSpec& spec, const std::string& folder) {
  LIPSERVE_ASSIGN_OR_RETURN(RawDataset raw, ReadFiles(spec, folder, WhichFiles::kAll));
  LIPSERVE_RETURN_IF_ERROR(CheckSplit(spec.split(), raw));
  LIPSERVE_RETURN_IF_ERROR(CheckEqualShapes(*raw.train, raw.test));
  LIPSERVE_RETURN_IF_ERROR(CheckEqualShapes(*raw.train, raw.validation));

  const std::vector<std::int64_t> selected = SelectedLabels(spec, *raw.train);
  std::optional<Samples> test;
  std::optional<Samples> validation;
  if (raw.test.has_value()) {
    LIPSERVE_ASSIGN_OR_RETURN(test, SelectClasses(spec, selected, *std::move(raw.test)));
  }
  if (raw.validation.has_value()) {
    LIPSERVE_ASSIGN_OR_RETURN(validation,
                              SelectClasses(spec, selected, *std::move(raw.validation)));
  }
  LIPSERVE_ASSIGN_OR_RETURN(Samples rest, SelectClasses(spec, selected, *std::move(raw.train)));
  LIPSERVE_ASSIGN_OR_RETURN(HeldOut held_out, HoldOut(spec.split(), std::move(rest)));
  if (held_out.test.has_value()) test = *std::move(held_out.test);
  if (held_out.validation.has_value()) validation = *std::move(held_out.validation);

  Dataset dataset;
  dataset.unused = UnusedEntries(spec, folder);
  dataset.train = std::move(held_out.train);
  if (validation.has_value()) {
    dataset.validation = *std::move(validation);
    dataset.test = std::move(test);
  } else {
    dataset.validation = *std::move(test);
  }
  std::string bytes;
  AppendForDigest(dataset.train, bytes);
  AppendForDigest(dataset.validation, bytes);
  if (dataset.test.has_value()) AppendForDigest(*dataset.test, bytes);
  dataset.sha256 = Sha256(bytes);
  return dataset;
}

absl::StatusOr<Samples> LoadEvaluationSamples(const v1::DatasetSpec& spec,
                                              const std::string& folder) {
  LIPSERVE_ASSIGN_OR_RETURN(RawDataset raw, ReadFiles(spec, folder, WhichFiles::kTestIfPresent));
  LIPSERVE_RETURN_IF_ERROR(CheckSplit(spec.split(), raw));
  // What a training with this recipe ends by measuring: test files, a share of the training files,
  // or validation files.
  const bool held_out_test = !raw.test.has_value() && spec.split().test() > 0.0;
  const bool whole = raw.test.has_value() || (raw.validation.has_value() && !held_out_test);
  RawSamples& samples = raw.test.has_value() ? *raw.test : whole ? *raw.validation : *raw.train;
  const std::vector<std::int64_t> selected = SelectedLabels(spec, samples);
  LIPSERVE_ASSIGN_OR_RETURN(Samples all, SelectClasses(spec, selected, std::move(samples)));
  if (whole) return all;
  LIPSERVE_ASSIGN_OR_RETURN(HeldOut held_out, HoldOut(spec.split(), std::move(all)));
  return held_out.test.has_value() ? *std::move(held_out.test) : *std::move(held_out.validation);
}

std::string DescribeUnused(const std::string& folder, const Dataset& dataset) {
  constexpr std::size_t kMaxNames = 8;
  const std::size_t count = dataset.unused.size();
  if (count == 0) return "";
  const auto end = dataset.unused.begin() + static_cast<std::ptrdiff_t>(std::min(count, kMaxNames));
  const std::string names = absl::StrJoin(dataset.unused.begin(), end, ", ");
  return VisibleName(
      absl::StrCat(folder, ": not used: ", names,
                   count > kMaxNames ? absl::StrCat(" and ", count - kMaxNames, " more") : ""));
}

std::string DescribeClassProportions(const std::string& split, const Samples& samples) {
  const std::size_t num_classes = samples.class_names.size();
  std::vector<std::size_t> counts(num_classes, 0);
  for (const std::int32_t label : samples.labels) ++counts[static_cast<std::size_t>(label)];
  if (num_classes == 2) counts.resize(1);
  const auto append_percent = [&samples](std::string* out, std::size_t count) {
    absl::StrAppendFormat(out, "%.3f",
                          100.0 * static_cast<double>(count) / static_cast<double>(samples.size()));
  };
  return absl::StrCat(split, " set size: ", samples.size(), " samples, classes proportions: ",
                      absl::StrJoin(counts, ", ", append_percent), " percent");
}

}  // namespace lipserve::trainer
