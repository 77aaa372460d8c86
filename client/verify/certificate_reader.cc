// SPDX-License-Identifier: Apache-2.0
#include "client/verify/certificate_reader.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/verify/exact/number_text.h"
#include "nlohmann/json.hpp"

namespace lipserve::verify {
namespace {

using Json = nlohmann::json;

constexpr char kFormat[] = "lipserve.certificate";
constexpr std::uint64_t kVersion = 2;
// Levels of the format: an object, its answers, an answer, its shape, a length.
constexpr int kMaxDepth = 4;
// An answer has 12. Each takes 16 bytes of memory, and may take two of the file.
constexpr std::size_t kMaxValues = std::size_t{1} << 22;
constexpr std::uint64_t kMaxAxis = std::uint64_t{1} << 22;

// A wrong value as an error shows it: short, and in printable characters.
std::string Shown(const Json& value) {
  constexpr std::size_t kShown = 60;
  if (value.is_structured()) return value.type_name();
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  const std::string start = absl::CHexEscape(text.substr(0, kShown));
  return absl::StrCat(value.is_string() ? absl::StrCat("\"", start, "\"") : start,
                      text.size() > kShown ? "..." : "");
}

// Parses JSON in which no object repeats a key, because readers differ in which of two values they
// use.
absl::StatusOr<Json> ParseUniqueKeys(const std::string& text) {
  std::vector<std::set<std::string>> open_objects;
  std::string repeated;
  bool too_deep = false;
  std::size_t values = 0;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    // What is deeper is dropped, so that nothing that walks through the rest can recurse far.
    if (depth > kMaxDepth) {
      too_deep = true;
      return false;
    }
    if (event == Json::parse_event_t::value && ++values > kMaxValues) return false;
    if (event == Json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == Json::parse_event_t::object_end) open_objects.pop_back();
    if (event == Json::parse_event_t::key &&
        !open_objects.back().insert(value.get<std::string>()).second) {
      repeated = value.get<std::string>();
    }
    return true;
  };
  Json json = Json::parse(text, watch, /*allow_exceptions=*/false);
  if (too_deep) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected JSON of at most ", kMaxDepth, " levels, got more"));
  }
  if (values > kMaxValues) {
    return absl::InvalidArgumentError(absl::StrCat("expected at most ", kMaxValues, " values, got ",
                                                   values,
                                                   "; record the answers in several files"));
  }
  if (json.is_discarded()) return absl::InvalidArgumentError("expected JSON, got other text");
  if (!repeated.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected every key once, got ", Shown(Json(repeated)), " again"));
  }
  return json;
}

// Checks that `json` is an object with exactly these keys.
absl::Status CheckKeys(const Json& json, std::initializer_list<const char*> keys) {
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("expected an object, got ", json.type_name()));
  }
  for (const char* const key : keys) {
    if (!json.contains(key)) {
      return absl::InvalidArgumentError(absl::StrCat("expected a key \"", key, "\", got none"));
    }
  }
  for (const auto& [key, value] : json.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected no key ", Shown(Json(key)), " in this version of the format"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Text(const Json& object, const char* key) {
  const Json& value = object.at(key);
  if (value.is_string()) return value.get<std::string>();
  return absl::InvalidArgumentError(
      absl::StrCat(key, ": expected a string, got ", value.type_name()));
}

absl::StatusOr<std::uint64_t> Count(const Json& value, const char* what) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  return absl::InvalidArgumentError(
      absl::StrCat(what, ": expected an integer that is not negative, got ", Shown(value)));
}

absl::StatusOr<mpq_class> Number(const Json& object, const char* key) {
  const absl::StatusOr<std::string> text = Text(object, key);
  if (!text.ok()) return text.status();
  absl::StatusOr<mpq_class> number = ParseNumber(*text);
  if (!number.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(key, ": ", std::string(number.status().message())));
  }
  return number;
}

// Checks that `key` is one of `choices` and gives its position.
absl::StatusOr<std::size_t> Choice(const Json& object, const char* key,
                                   std::initializer_list<const char*> choices) {
  const absl::StatusOr<std::string> text = Text(object, key);
  if (!text.ok()) return text.status();
  const auto* const choice = std::find(choices.begin(), choices.end(), *text);
  if (choice != choices.end()) return static_cast<std::size_t>(choice - choices.begin());
  return absl::InvalidArgumentError(absl::StrCat(key, ": expected ", absl::StrJoin(choices, " or "),
                                                 ", got ", Shown(object.at(key))));
}

absl::Status ReadShape(const Json& json, RecordedAnswer& recorded) {
  if (!json.is_array() || json.size() != recorded.shape.size()) {
    return absl::InvalidArgumentError(
        "shape: expected three numbers [C, H, W], got something else");
  }
  for (std::size_t axis = 0; axis < recorded.shape.size(); ++axis) {
    const absl::StatusOr<std::uint64_t> length = Count(json[axis], "shape");
    if (!length.ok()) return length.status();
    if (*length > kMaxAxis) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape: expected at most ", kMaxAxis, ", got ", *length));
    }
    recorded.shape[axis] = *length;
  }
  return absl::OkStatus();
}

absl::Status ReadInput(const Json& json, RecordedAnswer& recorded) {
  const absl::StatusOr<std::size_t> type = Choice(json, "element_type", {"UINT8", "FP32"});
  if (!type.ok()) return type.status();
  recorded.answer.element_type = *type == 0 ? ElementType::kUint8 : ElementType::kFloat32;
  const absl::StatusOr<std::size_t> unit =
      *type == 0 ? Choice(json, "radius_unit", {"PIXEL"}) : Choice(json, "radius_unit", {"INPUT"});
  if (!unit.ok()) return unit.status();
  if (absl::Status status = ReadShape(json["shape"], recorded); !status.ok()) return status;
  const absl::StatusOr<std::string> base64 = Text(json, "data_base64");
  if (!base64.ok()) return base64.status();
  if (!absl::Base64Unescape(*base64, &recorded.answer.data)) {
    return absl::InvalidArgumentError("data_base64: expected base64, got other text");
  }
  absl::StatusOr<std::string> digest = Text(json, "data_sha256");
  if (!digest.ok()) return digest.status();
  recorded.data_digest = *std::move(digest);
  return absl::OkStatus();
}

// An integer for pixels, null for floats.
absl::Status ReadSquaredRadius(const Json& json, RecordedAnswer& recorded) {
  constexpr char kKey[] = "certified_pixel_radius_squared";
  if (recorded.answer.element_type == ElementType::kFloat32) {
    if (json.is_null()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(kKey, ": expected null for FP32, got ", Shown(json)));
  }
  const absl::StatusOr<std::uint64_t> squared = Count(json, kKey);
  if (!squared.ok()) return squared.status();
  static_assert(sizeof(unsigned long) == sizeof(*squared));  // what GMP takes
  recorded.answer.pixel_radius_squared = mpz_class(static_cast<unsigned long>(*squared));
  return absl::OkStatus();
}

absl::StatusOr<RecordedAnswer> ReadAnswer(const Json& json) {
  if (absl::Status status =
          CheckKeys(json, {"element_type", "shape", "data_base64", "data_sha256", "class_index",
                           "label", "certified_radius_l2_hex", "radius_unit",
                           "certified_pixel_radius_squared", "margin_hex"});
      !status.ok()) {
    return status;
  }
  RecordedAnswer recorded;
  if (absl::Status status = ReadInput(json, recorded); !status.ok()) return status;
  const absl::StatusOr<std::uint64_t> class_index = Count(json["class_index"], "class_index");
  if (!class_index.ok()) return class_index.status();
  recorded.answer.class_index = *class_index;
  absl::StatusOr<std::string> label = Text(json, "label");
  if (!label.ok()) return label.status();
  recorded.label = *std::move(label);
  absl::StatusOr<mpq_class> radius = Number(json, "certified_radius_l2_hex");
  if (!radius.ok()) return radius.status();
  recorded.answer.radius = *std::move(radius);
  if (absl::Status status = ReadSquaredRadius(json["certified_pixel_radius_squared"], recorded);
      !status.ok()) {
    return status;
  }
  absl::StatusOr<mpq_class> margin = Number(json, "margin_hex");
  if (!margin.ok()) return margin.status();
  recorded.answer.margin = *std::move(margin);
  return recorded;
}

absl::Status CheckFormat(const Json& json) {
  if (!json.is_object() || json.value("format", Json()) != kFormat) {
    return absl::InvalidArgumentError(
        absl::StrCat("format: expected \"", kFormat, "\", got another or none"));
  }
  if (const Json version = json.value("version", Json()); version != kVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("version: expected ", kVersion, ", got ", Shown(version),
                     "; record the answers again with this version of lipserve-client"));
  }
  if (absl::Status status =
          CheckKeys(json, {"format", "version", "model", "radius_precision", "answers"});
      !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckKeys(json["model"], {"name", "version", "digest_sha256"});
      !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("model: ", std::string(status.message())));
  }
  if (const absl::StatusOr<std::size_t> precision =
          Choice(json, "radius_precision", {"TIGHT", "FAST"});
      !precision.ok()) {
    return precision.status();
  }
  if (!json["answers"].is_array() || json["answers"].empty()) {
    return absl::InvalidArgumentError("answers: expected an array of at least one, got none");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Certificate> ParseCertificate(const std::string& text) {
  const absl::StatusOr<Json> json = ParseUniqueKeys(text);
  if (!json.ok()) return json.status();
  if (absl::Status status = CheckFormat(*json); !status.ok()) return status;
  const absl::StatusOr<std::string> digest = Text((*json)["model"], "digest_sha256");
  if (!digest.ok()) return digest.status();
  Certificate certificate{.digest = *digest, .answers = {}};
  for (const Json& item : (*json)["answers"]) {
    absl::StatusOr<RecordedAnswer> recorded = ReadAnswer(item);
    if (!recorded.ok()) {
      return absl::Status(recorded.status().code(),
                          absl::StrCat("answer ", certificate.answers.size(), ": ",
                                       std::string(recorded.status().message())));
    }
    certificate.answers.push_back(*std::move(recorded));
  }
  return certificate;
}

absl::Status CheckRecordedAnswer(const ProvenModel& proven, const RecordedAnswer& recorded) {
  const Model& model = proven.model();
  if (recorded.shape != model.input_shape) {
    return absl::InvalidArgumentError(
        absl::StrCat("shape: expected [", absl::StrJoin(model.input_shape, ", "), "], got [",
                     absl::StrJoin(recorded.shape, ", "), "]"));
  }
  if (const std::string digest = Sha256Hex(recorded.answer.data); digest != recorded.data_digest) {
    return absl::DataLossError(absl::StrCat("data_sha256: expected ", digest,
                                            ", that of the data, got ", recorded.data_digest));
  }
  if (absl::Status status = CheckAnswer(proven, recorded.answer); !status.ok()) return status;
  if (const std::string& label = model.class_labels[recorded.answer.class_index];
      recorded.label != label) {
    return absl::FailedPreconditionError(
        absl::StrCat("label: expected \"", label, "\", got \"", recorded.label, "\""));
  }
  return absl::OkStatus();
}

}  // namespace lipserve::verify
