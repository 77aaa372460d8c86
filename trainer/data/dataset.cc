// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/dataset.h"

#include <array>
#include <filesystem>
#include <future>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/network/sealed_file.h"
#include "model/status_macros.h"
#include "proto/idx/idx_file.h"

namespace lipserve::trainer {
namespace {

constexpr char kTrain[] = "train";
constexpr char kValidation[] = "t10k";
constexpr std::size_t kLabelValues = 256;

// A split as stored, before classes are selected.
struct RawSplit {
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
                                                   ".gz exist: expected one, remove the other"));
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

absl::Status CheckSplit(const RawSplit& raw) {
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

absl::StatusOr<RawSplit> ReadSplit(const std::string& folder, const std::string& prefix) {
  RawSplit raw;
  LIPSERVE_ASSIGN_OR_RETURN(raw.images_path, FindIdxFile(folder, prefix + "-images-idx3-ubyte"));
  LIPSERVE_ASSIGN_OR_RETURN(raw.labels_path, FindIdxFile(folder, prefix + "-labels-idx1-ubyte"));
  LIPSERVE_ASSIGN_OR_RETURN(raw.labels, ReadIdxFile(raw.labels_path));
  LIPSERVE_ASSIGN_OR_RETURN(raw.images, ReadIdxFile(raw.images_path));
  LIPSERVE_RETURN_IF_ERROR(CheckSplit(raw));
  return raw;
}

// The labels to keep, in the order of their class indices.
std::vector<std::int64_t> SelectedLabels(const v1::DatasetSpec& spec, const RawSplit& raw) {
  if (spec.classes_size() > 0) return {spec.classes().begin(), spec.classes().end()};
  std::array<bool, kLabelValues> present{};
  for (const std::uint8_t label : raw.labels.values) present[label] = true;
  std::vector<std::int64_t> selected;
  for (std::size_t label = 0; label < kLabelValues; ++label) {
    if (present[label]) selected.push_back(static_cast<std::int64_t>(label));
  }
  return selected;
}

absl::StatusOr<std::vector<std::string>> ClassNames(const v1::DatasetSpec& spec,
                                                    const std::vector<std::int64_t>& selected) {
  if (spec.class_names_size() == 0) {
    std::vector<std::string> names;
    for (const std::int64_t label : selected) names.push_back(absl::StrCat(label));
    return names;
  }
  if (static_cast<std::size_t>(spec.class_names_size()) != selected.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("recipe: dataset.class_names: expected one name for each of the labels ",
                     absl::StrJoin(selected, ", "), ", got ", spec.class_names_size()));
  }
  return std::vector<std::string>(spec.class_names().begin(), spec.class_names().end());
}

absl::Status CheckEveryClassOccurs(const Samples& samples,
                                   const std::vector<std::int64_t>& selected,
                                   const std::string& labels_path) {
  std::vector<bool> occurs(selected.size(), false);
  for (const std::int32_t label : samples.labels) occurs[static_cast<std::size_t>(label)] = true;
  for (std::size_t c = 0; c < selected.size(); ++c) {
    if (!occurs[c]) {
      return absl::InvalidArgumentError(absl::StrCat(
          labels_path, ": expected samples of every class of the recipe, found none with label ",
          selected[c], ": check dataset.classes"));
    }
  }
  return absl::OkStatus();
}

// Keeps the selected classes and gives them their indices.
//
// Errors: InvalidArgument if a selected class has no samples, or if all classes are wanted and the
//         split has a label that is not among them.
absl::StatusOr<Samples> SelectClasses(const RawSplit& raw, const v1::DatasetSpec& spec,
                                      const std::vector<std::int64_t>& selected) {
  constexpr std::int32_t kNotSelected = -1;
  std::array<std::int32_t, kLabelValues> index_of_label{};
  index_of_label.fill(kNotSelected);
  for (std::size_t c = 0; c < selected.size(); ++c) {
    index_of_label[static_cast<std::size_t>(selected[c])] = static_cast<std::int32_t>(c);
  }
  Samples samples;
  samples.shape = {1, static_cast<std::size_t>(raw.images.dimensions[1]),
                   static_cast<std::size_t>(raw.images.dimensions[2])};
  LIPSERVE_ASSIGN_OR_RETURN(samples.class_names, ClassNames(spec, selected));
  const auto image_size = static_cast<std::ptrdiff_t>(samples.shape.size());
  for (std::size_t i = 0; i < raw.labels.values.size(); ++i) {
    const std::int32_t index = index_of_label[raw.labels.values[i]];
    if (index == kNotSelected) {
      if (spec.classes_size() > 0) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(raw.labels_path, ": sample ", i, ": expected a label of the training set (",
                       absl::StrJoin(selected, ", "), "), got ", int{raw.labels.values[i]}));
    }
    samples.labels.push_back(index);
    const auto begin = raw.images.values.begin() + static_cast<std::ptrdiff_t>(i) * image_size;
    samples.pixels.insert(samples.pixels.end(), begin, begin + image_size);
  }
  LIPSERVE_RETURN_IF_ERROR(CheckEveryClassOccurs(samples, selected, raw.labels_path));
  return samples;
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
  // Unzipping dominates the start of a run, so both splits are read at once.
  auto validation_future =
      std::async(std::launch::async, [&folder] { return ReadSplit(folder, kValidation); });
  const absl::StatusOr<RawSplit> train = ReadSplit(folder, kTrain);
  const absl::StatusOr<RawSplit> validation = validation_future.get();
  LIPSERVE_RETURN_IF_ERROR(train.status());
  LIPSERVE_RETURN_IF_ERROR(validation.status());

  const std::vector<std::int64_t> selected = SelectedLabels(spec, *train);
  Dataset dataset;
  LIPSERVE_ASSIGN_OR_RETURN(dataset.train, SelectClasses(*train, spec, selected));
  LIPSERVE_ASSIGN_OR_RETURN(dataset.validation, SelectClasses(*validation, spec, selected));
  if (dataset.train.shape != dataset.validation.shape) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: expected images of %d x %d like %s, got %d x %d", validation->images_path,
        dataset.train.shape.height, dataset.train.shape.width, train->images_path,
        dataset.validation.shape.height, dataset.validation.shape.width));
  }
  std::string bytes;
  AppendForDigest(dataset.train, bytes);
  AppendForDigest(dataset.validation, bytes);
  dataset.sha256 = Sha256(bytes);
  return dataset;
}

absl::StatusOr<Samples> LoadValidationSamples(const v1::DatasetSpec& spec,
                                              const std::string& folder) {
  LIPSERVE_ASSIGN_OR_RETURN(const RawSplit raw, ReadSplit(folder, kValidation));
  return SelectClasses(raw, spec, SelectedLabels(spec, raw));
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
