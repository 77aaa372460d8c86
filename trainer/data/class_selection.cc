// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/class_selection.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "proto/text/label_text.h"

namespace lipserve::trainer {
namespace {

// "label 3", with its name in the files if it has one.
std::string LabelText(const RawSamples& raw, std::int64_t label) {
  const auto index = static_cast<std::size_t>(label);
  if (index >= raw.label_names.size()) return absl::StrCat("label ", label);
  return absl::StrCat("label ", label, " (", raw.label_names[index], ")");
}

absl::StatusOr<std::vector<std::string>> ClassNames(const v1::DatasetSpec& spec,
                                                    const std::vector<std::int64_t>& selected,
                                                    const RawSamples& raw) {
  if (spec.class_names_size() == 0) {
    std::vector<std::string> names;
    for (const std::int64_t label : selected) {
      const auto index = static_cast<std::size_t>(label);
      names.push_back(index < raw.label_names.size() ? raw.label_names[index]
                                                     : absl::StrCat(label));
    }
    return names;
  }
  if (static_cast<std::size_t>(spec.class_names_size()) != selected.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("recipe: dataset.class_names: expected one name for each of the labels ",
                     absl::StrJoin(selected, ", "), ", got ", spec.class_names_size()));
  }
  return std::vector<std::string>(spec.class_names().begin(), spec.class_names().end());
}

// The names become the labels of the model, so what its file requires of them holds from the start.
absl::Status CheckLabels(const std::vector<std::string>& names, const std::string& place) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    std::string problem = LabelProblem(name);
    if (problem.empty() && !seen.insert(name).second) problem = "another class has the same name";
    if (problem.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        place, ": class \"", VisibleName(name), "\": expected a name of its own, of 1 to ",
        kMaxLabelBytes, " bytes of UTF-8 without control characters, to be a label of the model, ",
        "got: ", problem, ": rename it where the data names its classes"));
  }
  return absl::OkStatus();
}

absl::Status CheckEveryClassOccurs(const std::vector<std::int32_t>& class_indices,
                                   const std::vector<std::int64_t>& selected,
                                   const RawSamples& raw) {
  std::vector<bool> occurs(selected.size(), false);
  for (const std::int32_t index : class_indices) occurs[static_cast<std::size_t>(index)] = true;
  for (std::size_t c = 0; c < selected.size(); ++c) {
    if (!occurs[c]) {
      return absl::InvalidArgumentError(absl::StrCat(
          raw.labels_path, ": expected samples of every class of the recipe, found none with ",
          LabelText(raw, selected[c]), ": check dataset.classes"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::int64_t> SelectedLabels(const v1::DatasetSpec& spec, const RawSamples& raw) {
  if (spec.classes_size() > 0) return {spec.classes().begin(), spec.classes().end()};
  const std::set<std::int64_t> present(raw.labels.begin(), raw.labels.end());
  return {present.begin(), present.end()};
}

absl::StatusOr<Samples> SelectClasses(const v1::DatasetSpec& spec,
                                      const std::vector<std::int64_t>& selected, RawSamples raw) {
  std::map<std::int64_t, std::int32_t> index_of_label;
  for (std::size_t c = 0; c < selected.size(); ++c) {
    index_of_label[selected[c]] = static_cast<std::int32_t>(c);
  }
  Samples samples;
  samples.shape = raw.shape;
  LIPSERVE_ASSIGN_OR_RETURN(samples.class_names, ClassNames(spec, selected, raw));
  LIPSERVE_RETURN_IF_ERROR(CheckLabels(samples.class_names, raw.labels_path));
  const auto image_size = static_cast<std::ptrdiff_t>(raw.shape.size());
  auto kept_end = raw.pixels.begin();  // kept pixels move to the front
  for (std::size_t i = 0; i < raw.labels.size(); ++i) {
    const auto found = index_of_label.find(raw.labels[i]);
    if (found == index_of_label.end()) {
      if (spec.classes_size() > 0) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(raw.labels_path, ": sample ", i, ": expected a label of the training set (",
                       absl::StrJoin(selected, ", "), "), got ", raw.labels[i]));
    }
    samples.labels.push_back(found->second);
    const auto image = raw.pixels.begin() + static_cast<std::ptrdiff_t>(i) * image_size;
    if (image != kept_end) std::copy(image, image + image_size, kept_end);
    kept_end += image_size;
  }
  LIPSERVE_RETURN_IF_ERROR(CheckEveryClassOccurs(samples.labels, selected, raw));
  raw.pixels.erase(kept_end, raw.pixels.end());
  samples.pixels = std::move(raw.pixels);
  return samples;
}

}  // namespace lipserve::trainer
