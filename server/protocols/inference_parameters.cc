// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/inference_parameters.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
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

// More than any client sends. Each is compared with the known names.
constexpr std::size_t kMostParameters = 64;

constexpr char kFinalResponseParameter[] = "triton_enable_empty_final_response";
constexpr char kClassificationParameter[] = "classification";

// The parameters of a request that change what is answered.
const std::vector<std::string>& RequestParameters() {
  static const auto* const names =
      new std::vector<std::string>{"epsilon", "radius_precision", "timeout", "priority"};
  return *names;
}

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
    case InferParameter::kDoubleParam:
      // A client that has only doubles, as in JSON. Every whole number below 2^53 is exact.
      if (std::abs(parameter.double_param()) > 0x1p53 ||
          std::trunc(parameter.double_param()) != parameter.double_param()) {
        return std::nullopt;
      }
      return static_cast<std::int64_t>(parameter.double_param());
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

absl::Status CheckParameterCount(absl::string_view field, const InferParameters& parameters) {
  if (parameters.size() <= kMostParameters) return absl::OkStatus();
  return InvalidField(
      field, absl::StrCat("expected at most ", kMostParameters, ", got ", parameters.size()));
}

// Whether clients send this to say how they packed the message. Each message says that itself, and
// its sizes are checked, so the value cannot change an answer.
bool IsPacking(absl::string_view name) {
  return name == "binary_data" || name == "binary_data_size" || name == "binary_data_output" ||
         name == "headers";
}

// Whether this asks for work on the images, which this server leaves to its clients.
bool IsTransformation(absl::string_view name) {
  constexpr const char* kNames[] = {
      "scale",         "mean",        "std",          "offset",     "normalize",
      "normalization", "mean_values", "scale_values", "zero_point", "quantization",
      "layout",        "data_format", "color_format", "format",     "channel_order",
      "resize",        "crop",        "preprocess",   "transform",  "preprocessing",
      "byte_order",    "endianness",  "compression",  "encoding",   "datatype",
      "dtype",         "shape",       "channels",     "invert"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [name](const char* known) { return absl::EqualsIgnoreCase(name, known); });
}

// MLServer's name of a codec. With any but NumPy's and pandas', the bytes would not be the
// elements.
absl::Status CheckContentType(const std::string& field, const InferParameter& parameter) {
  if (parameter.string_param() == "np" || parameter.string_param() == "pd") {
    return absl::OkStatus();
  }
  return InvalidField(field, absl::StrCat("expected 'np', 'pd' or no content_type, because tensors "
                                          "hold plain elements of their datatype, got ",
                                          ValueText(parameter)));
}

// Whether a sequence parameter says that the request is in no sequence, as some clients always do.
bool IsNoSequence(const InferParameter& parameter) {
  return !parameter.bool_param() && parameter.int64_param() == 0 && parameter.uint64_param() == 0 &&
         parameter.double_param() == 0.0 &&
         (parameter.string_param().empty() || parameter.string_param() == "0");
}

absl::Status CheckSequence(const std::string& name, const InferParameter& parameter) {
  if (IsNoSequence(parameter)) return absl::OkStatus();
  return InvalidField(Field(name),
                      "expected none: classifiers keep nothing from one request to the next");
}

absl::Status UnknownParameter(const std::string& name) {
  const std::string near = NearName(absl::AsciiStrToLower(name), RequestParameters());
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
  if (name == kFinalResponseParameter || IsPacking(name)) return absl::OkStatus();
  if (name == "content_type") return CheckContentType(Field(name), parameter);
  if (absl::StartsWith(name, "sequence_")) return CheckSequence(name, parameter);
  return UnknownParameter(name);
}

// The parameter of a request or of an output that `name` is, or probably stands for; "" if it is
// neither. Ignoring it would answer another question.
std::string MeantParameter(const std::string& name) {
  std::vector<std::string> known = RequestParameters();
  known.emplace_back(kClassificationParameter);
  return NearName(absl::AsciiStrToLower(name), known);
}

// Checks a parameter of the tensor at `field` that has no meaning there.
absl::Status CheckOtherParameter(absl::string_view field, const std::string& name,
                                 const InferParameter& parameter) {
  const std::string place = absl::StrCat(field, ".parameters[", Quoted(name), "]");
  if (absl::StartsWith(name, "shared_memory_")) {
    return absl::UnimplementedError(absl::StrCat(
        place,
        ": this server has no shared memory; send the elements in raw_input_contents, and "
        "read the answers from raw_output_contents"));
  }
  if (name == "content_type") return CheckContentType(place, parameter);
  if (IsTransformation(name)) {
    return InvalidField(place,
                        "expected none, because images are taken as they are; apply it "
                        "before you send them");
  }
  const std::string meant = MeantParameter(name);
  if (meant.empty()) return absl::OkStatus();
  return InvalidField(
      place, absl::StrCat("expected '", meant, "' among the parameters of ",
                          meant == kClassificationParameter ? "the output 'scores'" : "the request",
                          ", not here"));
}

}  // namespace

absl::Status DecodeInferParameters(const InferParameters& parameters, const ServedModel& model,
                                   DecodedImages& images) {
  images.epsilon.reset();
  images.precision = RadiusPrecision::kTight;
  images.timeout = std::chrono::microseconds(0);
  images.priority = model.default_priority();
  LIPSERVE_RETURN_IF_ERROR(CheckParameterCount("parameters", parameters));
  for (const auto& [name, parameter] : parameters) {
    LIPSERVE_RETURN_IF_ERROR(DecodeInferParameter(name, parameter, model, images));
  }
  return absl::OkStatus();
}

absl::Status CheckInputParameters(absl::string_view field, const InferParameters& parameters) {
  LIPSERVE_RETURN_IF_ERROR(CheckParameterCount(absl::StrCat(field, ".parameters"), parameters));
  for (const auto& [name, parameter] : parameters) {
    LIPSERVE_RETURN_IF_ERROR(CheckOtherParameter(field, name, parameter));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> DecodeClassification(absl::string_view field,
                                                 const InferParameters& parameters) {
  LIPSERVE_RETURN_IF_ERROR(CheckParameterCount(absl::StrCat(field, ".parameters"), parameters));
  std::size_t classes = 0;
  for (const auto& [name, parameter] : parameters) {
    if (name != kClassificationParameter) {
      LIPSERVE_RETURN_IF_ERROR(CheckOtherParameter(field, name, parameter));
      continue;
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
