// SPDX-License-Identifier: Apache-2.0
#include "trainer/recipes/recipe_file.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "model/network/pixel_scaling.h"
#include "proto/text/label_text.h"
#include "proto/text/near_name.h"
#include "proto/text/proto_text.h"
#include "proto/text/text_file.h"
#include "trainer/data/published_results.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kMaxNameLength = 64;
constexpr std::int64_t kMaxBatchSize = 1 << 16;
constexpr std::int64_t kMaxEpochs = 1'000'000;
constexpr std::int64_t kMaxLabel = 255;

// The names of the fields of a oneof "kind", e.g. "hkr, kr, hinge_margin".
std::string Kinds(const google::protobuf::Descriptor& message) {
  const google::protobuf::OneofDescriptor& kind = *message.FindOneofByName("kind");
  std::vector<std::string> names;
  for (int i = 0; i < kind.field_count(); ++i) names.push_back(kind.field(i)->name());
  return absl::StrJoin(names, ", ");
}

absl::Status Invalid(const std::string& field, const std::string& expected,
                     const std::string& got) {
  return absl::InvalidArgumentError(
      absl::StrCat("recipe: ", field, ": expected ", expected, ", got ", got));
}

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

absl::Status ValidateName(const std::string& name) {
  if (name.empty() || name.size() > kMaxNameLength ||
      !std::all_of(name.begin(), name.end(), IsNameCharacter)) {
    return Invalid("name", absl::StrCat("1 to ", kMaxNameLength, " letters, digits, '_' or '-'"),
                   absl::StrCat("\"", name, "\""));
  }
  return absl::OkStatus();
}

absl::Status ValidateClasses(const v1::DatasetSpec& dataset) {
  if (dataset.classes_size() == 1) {
    return Invalid("dataset.classes", "at least two labels, or none to keep all", "one");
  }
  std::set<std::int64_t> seen;
  for (const std::int64_t label : dataset.classes()) {
    if (label < 0 || label > kMaxLabel) {
      return Invalid("dataset.classes", absl::StrCat("labels from 0 to ", kMaxLabel),
                     absl::StrCat(label));
    }
    if (!seen.insert(label).second) {
      return Invalid("dataset.classes", "each label once", absl::StrCat(label, " twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateClassNames(const v1::DatasetSpec& dataset) {
  if (dataset.classes_size() > 0 && dataset.class_names_size() > 0 &&
      dataset.classes_size() != dataset.class_names_size()) {
    return Invalid("dataset.class_names",
                   absl::StrCat("one name for each of the ", dataset.classes_size(),
                                " classes, or none to take the labels' numbers"),
                   absl::StrCat(dataset.class_names_size()));
  }
  std::set<std::string> seen;
  for (const std::string& name : dataset.class_names()) {
    if (const std::string problem = LabelProblem(name); !problem.empty()) {
      return Invalid("dataset.class_names",
                     absl::StrCat("names of 1 to ", kMaxLabelBytes,
                                  " bytes of UTF-8 without control characters"),
                     absl::StrCat("\"", VisibleName(name), "\": ", problem));
    }
    if (!seen.insert(name).second) {
      return Invalid("dataset.class_names", "each name once", absl::StrCat("\"", name, "\" twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateFormat(const v1::DatasetSpec& dataset) {
  if (!dataset.has_image_folder()) return absl::OkStatus();
  if (dataset.classes_size() > 0) {
    return Invalid("dataset.classes",
                   "none with image_folder, whose classes are folders: "
                   "name those to keep in class_names",
                   absl::StrCat(dataset.classes_size()));
  }
  if (dataset.class_names_size() == 1) {
    return Invalid("dataset.class_names", "at least two folders, or none to keep all", "one");
  }
  const std::int64_t channels = dataset.image_folder().channels();
  if (channels == 0 || channels == 1 || channels == 3) return absl::OkStatus();
  return Invalid("dataset.image_folder.channels",
                 "1 for grey, 3 for RGB, or 0 to take what the "
                 "images have",
                 absl::StrCat(channels));
}

absl::Status ValidateSplit(const v1::SplitSpec& split) {
  for (const auto& [field, share] :
       {std::pair("validation", split.validation()), std::pair("test", split.test())}) {
    if (!(share >= 0.0 && share < 1.0)) {
      return Invalid(absl::StrCat("dataset.split.", field), "a share in [0, 1), such as 0.1",
                     absl::StrCat(share));
    }
  }
  const double together = split.validation() + split.test();
  if (together < 1.0) return absl::OkStatus();
  return Invalid("dataset.split", "shares that together leave some for training",
                 absl::StrCat(together));
}

absl::Status ValidatePublishedAs(const std::string& name) {
  const std::vector<std::string> known = PublishedDatasets();
  if (name.empty() || std::find(known.begin(), known.end(), name) != known.end()) {
    return absl::OkStatus();
  }
  const std::string nearest = NearName(name, known);
  return Invalid(
      "dataset.published_as", absl::StrJoin(known, ", ") + ", or nothing",
      absl::StrCat("\"", name, "\"", nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
}

absl::Status ValidateDataset(const v1::DatasetSpec& dataset) {
  if (dataset.format_case() == v1::DatasetSpec::FORMAT_NOT_SET) {
    return Invalid("dataset", "a format, such as \"idx {}\" or \"image_folder {}\"", "none");
  }
  LIPSERVE_RETURN_IF_ERROR(ValidateFormat(dataset));
  LIPSERVE_RETURN_IF_ERROR(ValidateSplit(dataset.split()));
  LIPSERVE_RETURN_IF_ERROR(ValidatePublishedAs(dataset.published_as()));
  LIPSERVE_RETURN_IF_ERROR(ValidateClasses(dataset));
  LIPSERVE_RETURN_IF_ERROR(ValidateClassNames(dataset));
  if (!IsValidPixelDivisor(dataset.pixel_divisor())) {
    return Invalid("dataset.pixel_divisor",
                   "a positive number that keeps pixels normal float32 numbers, such as 255",
                   absl::StrCat(dataset.pixel_divisor()));
  }
  return absl::OkStatus();
}

absl::Status ValidateEpsilons(const v1::Recipe& recipe) {
  std::set<double> seen;
  for (const double epsilon : recipe.validation_epsilons()) {
    if (!(epsilon >= 0.0) || !std::isfinite(epsilon)) {
      return Invalid("validation_epsilons", "finite numbers that are not negative",
                     absl::StrCat(epsilon));
    }
    if (!seen.insert(epsilon).second) {
      return Invalid("validation_epsilons", "each radius once", absl::StrCat(epsilon, " twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateRange(const std::string& field, std::int64_t value, std::int64_t max) {
  if (value >= 1 && value <= max) return absl::OkStatus();
  return Invalid(field, absl::StrCat("1 to ", max), absl::StrCat(value));
}

}  // namespace

absl::Status ValidateRecipe(const v1::Recipe& recipe) {
  LIPSERVE_RETURN_IF_ERROR(ValidateName(recipe.name()));
  LIPSERVE_RETURN_IF_ERROR(ValidateDataset(recipe.dataset()));
  if (recipe.layers_size() == 0) return Invalid("layers", "at least one layer", "none");
  for (int i = 0; i < recipe.layers_size(); ++i) {
    if (recipe.layers(i).kind_case() == v1::LayerSpec::KIND_NOT_SET) {
      return Invalid(absl::StrCat("layers[", i, "]"),
                     "a layer, such as \"spectral_dense { units: 32 use_bias: true }\"", "none");
    }
  }
  if (recipe.loss().kind_case() == v1::LossSpec::KIND_NOT_SET) {
    return Invalid("loss", absl::StrCat("one of ", Kinds(*v1::LossSpec::descriptor())), "none");
  }
  if (recipe.optimizer().kind_case() == v1::OptimizerSpec::KIND_NOT_SET) {
    return Invalid("optimizer", absl::StrCat("one of ", Kinds(*v1::OptimizerSpec::descriptor())),
                   "none");
  }
  const double decay = recipe.optimizer().weight_average_decay();
  if (!(decay >= 0.0 && decay < 1.0)) {
    return Invalid("optimizer.weight_average_decay", "a number in [0, 1), where 0 does not average",
                   absl::StrCat(decay));
  }
  LIPSERVE_RETURN_IF_ERROR(ValidateEpsilons(recipe));
  LIPSERVE_RETURN_IF_ERROR(ValidateRange("batch_size", recipe.batch_size(), kMaxBatchSize));
  return ValidateRange("epochs", recipe.epochs(), kMaxEpochs);
}

absl::StatusOr<v1::Recipe> ParseRecipe(const std::string& text, const std::string& place,
                                       RecipeLocations* locations) {
  v1::Recipe recipe;
  auto tree = std::make_unique<google::protobuf::TextFormat::ParseInfoTree>();
  LIPSERVE_RETURN_IF_ERROR(ParseProtoText(text, place, recipe, tree.get()));
  RecipeLocations here(place, std::move(tree));
  if (const absl::Status status = ValidateRecipe(recipe); !status.ok()) {
    absl::Status located = here.Locate(status);
    // A field that the file leaves out has no line.
    if (located != status) return located;
    return absl::Status(status.code(), absl::StrCat(place, ": ", status.message()));
  }
  if (locations != nullptr) *locations = std::move(here);
  return recipe;
}

absl::StatusOr<v1::Recipe> ReadRecipeFile(const std::string& path, RecipeLocations* locations) {
  LIPSERVE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  if (text.empty())
    return absl::NotFoundError(absl::StrCat(path, ": cannot read the recipe: it is empty"));
  return ParseRecipe(text, path, locations);
}

std::string DescribeDifferences(const v1::Recipe& from, const v1::Recipe& to) {
  std::string report;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&report);
  differencer.Compare(from, to);
  return report;
}

}  // namespace lipserve::trainer
