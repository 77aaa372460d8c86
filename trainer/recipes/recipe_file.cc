// SPDX-License-Identifier: Apache-2.0
#include "trainer/recipes/recipe_file.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/certificate/pixel_scaling.h"
#include "model/status_macros.h"
#include "trainer/recipes/near_name.h"

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

// The text between the first two quotes after `before` in `message`, or "".
std::string QuotedAfter(const std::string& message, const std::string& before) {
  const std::size_t start = message.find(before + "\"");
  if (start == std::string::npos) return "";
  const std::size_t begin = start + before.size() + 1;
  const std::size_t end = message.find('"', begin);
  return end == std::string::npos ? "" : message.substr(begin, end - begin);
}

std::string Hint(const std::string& name, const std::vector<std::string>& names,
                 const std::string& otherwise) {
  const std::string nearest = NearName(name, names);
  if (!nearest.empty()) return absl::StrCat(" Did you mean \"", nearest, "\"?");
  return absl::StrCat(" ", otherwise, ": ", absl::StrJoin(names, ", "), ".");
}

// For the parser's 'Message type "T" has no field named "f".': what T's fields are, and which one
// was probably meant.
std::string FieldHint(const std::string& message) {
  const std::string type = QuotedAfter(message, "Message type ");
  const std::string field = QuotedAfter(message, "has no field named ");
  const google::protobuf::Descriptor* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(type);
  if (field.empty() || descriptor == nullptr) return "";
  std::vector<std::string> names;
  for (int i = 0; i < descriptor->field_count(); ++i) names.push_back(descriptor->field(i)->name());
  return Hint(field, names, "Its fields are");
}

// The enum that messages of a recipe have in fields of this name, or null.
const google::protobuf::EnumDescriptor* EnumOfField(
    const std::string& field,
    const google::protobuf::FileDescriptor& file = *v1::Recipe::descriptor()->file()) {
  for (int i = 0; i < file.message_type_count(); ++i) {
    const auto* const found = file.message_type(i)->FindFieldByName(field);
    if (found != nullptr && found->enum_type() != nullptr) return found->enum_type();
  }
  for (int i = 0; i < file.dependency_count(); ++i) {
    if (const auto* const found = EnumOfField(field, *file.dependency(i))) return found;
  }
  return nullptr;
}

// For the parser's 'Unknown enumeration value of "V" for field "f".': what f's values are.
std::string ValueHint(const std::string& message) {
  const std::string value = QuotedAfter(message, "Unknown enumeration value of ");
  const auto* const type = EnumOfField(QuotedAfter(message, "for field "));
  if (value.empty() || type == nullptr) return "";
  std::vector<std::string> names;
  for (int i = 1; i < type->value_count(); ++i) names.push_back(type->value(i)->name());
  return Hint(value, names, "Its values are");
}

class ErrorLines : public google::protobuf::io::ErrorCollector {
 public:
  explicit ErrorLines(const std::string& place) : place_(place) {}

  // The parser counts lines and columns from 0, people from 1.
  void AddError(int line, int column, const std::string& message) override {
    lines_.push_back(absl::StrCat(place_, ":", line + 1, ":", column + 1, ": ", message,
                                  FieldHint(message), ValueHint(message)));
  }

  std::string ToString() const { return absl::StrJoin(lines_, "\n"); }

 private:
  const std::string place_;
  std::vector<std::string> lines_;
};

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
    if (name.empty()) return Invalid("dataset.class_names", "names", "an empty one");
    if (!seen.insert(name).second) {
      return Invalid("dataset.class_names", "each name once", absl::StrCat("\"", name, "\" twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateDataset(const v1::DatasetSpec& dataset) {
  if (dataset.format_case() == v1::DatasetSpec::FORMAT_NOT_SET) {
    return Invalid("dataset", "a format, such as \"idx {}\"", "none");
  }
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

absl::StatusOr<v1::Recipe> ParseRecipe(const std::string& text, const std::string& place) {
  v1::Recipe recipe;
  ErrorLines errors(place);
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (!parser.ParseFromString(text, &recipe)) {
    return absl::InvalidArgumentError(errors.ToString());
  }
  if (const absl::Status status = ValidateRecipe(recipe); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(place, ": ", status.message()));
  }
  return recipe;
}

absl::StatusOr<v1::Recipe> ReadRecipeFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return absl::NotFoundError(absl::StrCat(
        path, ": cannot read the recipe: ", errno == 0 ? "it is empty" : std::strerror(errno)));
  }
  return ParseRecipe(text.str(), path);
}

std::string DescribeDifferences(const v1::Recipe& from, const v1::Recipe& to) {
  std::string report;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&report);
  differencer.Compare(from, to);
  return report;
}

}  // namespace lipserve::trainer
