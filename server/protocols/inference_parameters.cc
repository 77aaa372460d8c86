// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/inference_parameters.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "proto/text/near_name.h"
#include "server/operations/request_error.h"
#include "server/protocols/request_checks.h"

namespace lipserve {
namespace {

using inference::InferParameter;

// Long enough for every client, and far from overflowing when added to a time.
constexpr std::int64_t kMaxTimeoutUs = std::int64_t{24} * 3600 * 1000 * 1000;

constexpr char kFinalResponseParameter[] = "triton_enable_empty_final_response";

std::string Field(absl::string_view parameter) {
  return absl::StrCat("parameters['", parameter, "']");
}

std::string ValueText(const InferParameter& parameter) {
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      return parameter.bool_param() ? "the bool true" : "the bool false";
    case InferParameter::kInt64Param:
      return absl::StrCat(parameter.int64_param());
    case InferParameter::kUint64Param:
      return absl::StrCat(parameter.uint64_param());
    case InferParameter::kDoubleParam:
      return absl::StrCat(parameter.double_param());
    case InferParameter::kStringParam:
      return Quoted(parameter.string_param());
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      return "no value";
  }
  return "no value";
}

// A number. Some clients can send it only as text.
std::optional<double> AsNumber(const InferParameter& parameter) {
  double value = 0.0;
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kDoubleParam:
      return parameter.double_param();
    case InferParameter::kInt64Param:
      return static_cast<double>(parameter.int64_param());
    case InferParameter::kUint64Param:
      return static_cast<double>(parameter.uint64_param());
    case InferParameter::kStringParam:
      if (absl::SimpleAtod(parameter.string_param(), &value)) return value;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// A whole number in the range of int64.
std::optional<std::int64_t> AsInteger(const InferParameter& parameter) {
  std::int64_t value = 0;
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kInt64Param:
      return parameter.int64_param();
    case InferParameter::kUint64Param:
      if (parameter.uint64_param() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
        return std::nullopt;
      }
      return static_cast<std::int64_t>(parameter.uint64_param());
    case InferParameter::kStringParam:
      if (absl::SimpleAtoi(parameter.string_param(), &value)) return value;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

absl::Status DecodeEpsilon(const InferParameter& parameter, DecodedImages& images) {
  const std::optional<double> epsilon = AsNumber(parameter);
  if (!epsilon.has_value()) {
    return InvalidField(Field("epsilon"),
                        absl::StrCat("expected a number, got ", ValueText(parameter)));
  }
  images.epsilon = *epsilon;
  return CheckEpsilon(Field("epsilon"), *epsilon);
}

absl::Status DecodePrecision(const InferParameter& parameter, DecodedImages& images) {
  if (parameter.string_param() == "TIGHT") {
    images.precision = RadiusPrecision::kTight;
  } else if (parameter.string_param() == "FAST") {
    images.precision = RadiusPrecision::kFast;
  } else {
    return InvalidField(Field("radius_precision"),
                        absl::StrCat("expected 'TIGHT' or 'FAST', got ", ValueText(parameter)));
  }
  return absl::OkStatus();
}

absl::Status DecodeTimeout(const InferParameter& parameter, DecodedImages& images) {
  const std::optional<std::int64_t> timeout = AsInteger(parameter);
  if (!timeout.has_value() || *timeout < 0 || *timeout > kMaxTimeoutUs) {
    return InvalidField(
        Field("timeout"),
        absl::StrCat("expected 0 to ", kMaxTimeoutUs, " microseconds, got ", ValueText(parameter)));
  }
  images.timeout = std::chrono::microseconds(*timeout);
  return absl::OkStatus();
}

absl::Status DecodePriority(const InferParameter& parameter, const ServedModel& model,
                            DecodedImages& images) {
  const std::optional<std::int64_t> priority = AsInteger(parameter);
  if (!priority.has_value()) {
    return InvalidField(Field("priority"), absl::StrCat("expected 0 to ", kPriorityLevels, ", got ",
                                                        ValueText(parameter)));
  }
  LIPSERVE_ASSIGN_OR_RETURN(images.priority, CheckPriority(Field("priority"), *priority, model));
  return absl::OkStatus();
}

absl::Status UnknownParameter(const std::string& name) {
  if (absl::StartsWith(name, "sequence_")) {
    return InvalidField(Field(name),
                        "expected none: classifiers keep nothing from one request to "
                        "the next");
  }
  const std::vector<std::string> known = {"epsilon", "radius_precision", "timeout", "priority"};
  const std::string near = NearName(name, known);
  return InvalidField(absl::StrCat("parameters[", Quoted(name), "]"),
                      absl::StrCat("expected epsilon, radius_precision, timeout or priority",
                                   near.empty() ? "" : absl::StrCat("; did you mean ", near, "?")));
}

absl::Status DecodeInferParameter(const std::string& name, const InferParameter& parameter,
                                  const ServedModel& model, DecodedImages& images) {
  if (name == "epsilon") return DecodeEpsilon(parameter, images);
  if (name == "radius_precision") return DecodePrecision(parameter, images);
  if (name == "timeout") return DecodeTimeout(parameter, images);
  if (name == "priority") return DecodePriority(parameter, model, images);
  if (name == kFinalResponseParameter) return absl::OkStatus();
  return UnknownParameter(name);
}

absl::Status RefuseParameter(absl::string_view field, const std::string& name,
                             absl::string_view known) {
  if (absl::StartsWith(name, "shared_memory_")) {
    return absl::UnimplementedError(absl::StrCat(
        field, ".parameters['", name, "']: this server has no shared memory; send the bytes"));
  }
  return InvalidField(absl::StrCat(field, ".parameters[", Quoted(name), "]"),
                      absl::StrCat("expected ", known));
}

}  // namespace

absl::Status DecodeInferParameters(const InferParameters& parameters, const ServedModel& model,
                                   DecodedImages& images) {
  images.epsilon.reset();
  images.precision = RadiusPrecision::kTight;
  images.timeout = std::chrono::microseconds(0);
  images.priority = model.default_priority();
  for (const auto& [name, parameter] : parameters) {
    LIPSERVE_RETURN_IF_ERROR(DecodeInferParameter(name, parameter, model, images));
  }
  return absl::OkStatus();
}

absl::Status CheckTensorParameters(absl::string_view field, const InferParameters& parameters) {
  for (const auto& [name, parameter] : parameters) {
    return RefuseParameter(field, name, "no parameters of an input");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> DecodeClassification(absl::string_view field,
                                                 const InferParameters& parameters) {
  std::size_t classes = 0;
  for (const auto& [name, parameter] : parameters) {
    if (name != "classification") {
      return RefuseParameter(field, name, "no other parameter of an output than classification");
    }
    const std::optional<std::int64_t> wanted = AsInteger(parameter);
    if (!wanted.has_value() || *wanted < 1) {
      return InvalidField(
          absl::StrCat(field, ".parameters['classification']"),
          absl::StrCat("expected a number of classes, at least 1, got ", ValueText(parameter)));
    }
    classes = static_cast<std::size_t>(*wanted);
  }
  return classes;
}

bool WantsFinalResponseMark(const InferParameters& parameters) {
  const auto found = parameters.find(kFinalResponseParameter);
  return found != parameters.end() && found->second.bool_param();
}

}  // namespace lipserve
