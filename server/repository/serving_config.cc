// SPDX-License-Identifier: Apache-2.0
#include "server/repository/serving_config.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lipserve/v1/serving_config.pb.h"
#include "model/foundation/status_macros.h"
#include "proto/text/near_name.h"
#include "proto/text/proto_text.h"
#include "proto/text/text_file.h"

namespace lipserve {
namespace {

using Locations = google::protobuf::TextFormat::ParseInfoTree;

constexpr std::size_t kMaxLabelLength = 64;

bool IsValidLabel(const std::string& name) {
  if (name.empty() || name.size() > kMaxLabelLength) return false;
  // Starting with a letter, a label cannot be mistaken for a version number.
  if (!absl::ascii_isalpha(static_cast<unsigned char>(name[0]))) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
}

// Converts the message to a ServingConfig. Errors name the line.
class Reader {
 public:
  Reader(const v1::ServingConfig& message, const Locations& locations, const std::string& place)
      : message_(message), locations_(locations), place_(place) {}

  absl::StatusOr<ServingConfig> Read() {
    LIPSERVE_RETURN_IF_ERROR(ReadPolicy());
    for (int i = 0; i < message_.labels_size(); ++i) {
      LIPSERVE_RETURN_IF_ERROR(ReadLabel(i));
    }
    LIPSERVE_RETURN_IF_ERROR(ReadDefaultLabel());
    LIPSERVE_RETURN_IF_ERROR(ReadBatchLimit());
    LIPSERVE_RETURN_IF_ERROR(ReadQueue());
    return std::move(config_);
  }

 private:
  // `index` is -1 for a field that is not repeated.
  absl::Status FieldError(const std::string& field, int index, const std::string& problem) const {
    const auto* const descriptor = v1::ServingConfig::descriptor()->FindFieldByName(field);
    // Lines are counted from 0.
    return absl::InvalidArgumentError(
        absl::StrCat(place_, ":", locations_.GetLocation(descriptor, index).line + 1, ": ", field,
                     index < 0 ? "" : absl::StrCat("[", index, "]"), problem));
  }

  absl::Status ReadPolicy() {
    const v1::VersionPolicy& policy = message_.version_policy();
    switch (policy.choice_case()) {
      case v1::VersionPolicy::kLatest:
        config_.policy.kind = VersionPolicy::Kind::kLatest;
        if (policy.latest().has_num_versions()) {
          config_.policy.num_versions = policy.latest().num_versions();
        }
        if (config_.policy.num_versions > 0) return absl::OkStatus();
        return FieldError("version_policy", -1, ".latest.num_versions: expected at least 1, got 0");
      case v1::VersionPolicy::kSpecific:
        config_.policy.kind = VersionPolicy::Kind::kSpecific;
        return ReadSpecificVersions(policy.specific());
      case v1::VersionPolicy::kAll:
      case v1::VersionPolicy::CHOICE_NOT_SET:
        break;
    }
    return absl::OkStatus();
  }

  absl::Status ReadSpecificVersions(const v1::VersionPolicy::Specific& specific) {
    constexpr char kField[] = ".specific.versions: expected ";
    for (const std::int64_t version : specific.versions()) {
      if (version < 1) {
        return FieldError("version_policy", -1,
                          absl::StrCat(kField, "positive numbers, got ", version));
      }
      if (!config_.policy.versions.insert(version).second) {
        return FieldError("version_policy", -1,
                          absl::StrCat(kField, "each number once, got ", version, " twice"));
      }
    }
    if (!config_.policy.versions.empty()) return absl::OkStatus();
    return FieldError("version_policy", -1, absl::StrCat(kField, "at least one number, got none"));
  }

  absl::Status ReadBatchLimit() {
    if (!message_.has_batch_limit()) return absl::OkStatus();
    config_.batch_limit = message_.batch_limit();
    if (message_.batch_limit() > 0) return absl::OkStatus();
    return FieldError("batch_limit", -1, ": expected at least 1, got 0");
  }

  absl::Status ReadQueue() {
    if (message_.has_queue_capacity()) {
      config_.queue_capacity = message_.queue_capacity();
      if (message_.queue_capacity() == 0) {
        return FieldError("queue_capacity", -1, ": expected at least 1, got 0");
      }
    }
    if (!message_.has_default_priority()) return absl::OkStatus();
    const std::uint32_t priority = message_.default_priority();
    config_.default_priority = static_cast<int>(priority);
    if (priority >= 1 && priority <= kPriorityLevels) return absl::OkStatus();
    return FieldError(
        "default_priority", -1,
        absl::StrCat(": expected 1 (computed first) to ", kPriorityLevels, ", got ", priority));
  }

  absl::Status ReadLabel(int i) {
    const v1::VersionLabel& label = message_.labels(i);
    if (!IsValidLabel(label.name())) {
      return FieldError(
          "labels", i,
          absl::StrCat(".name: expected 1 to ", kMaxLabelLength,
                       " letters, digits, '_', '-' or '.', starting with a letter, got '",
                       absl::CHexEscape(label.name()), "'"));
    }
    if (label.version() < 1) {
      return FieldError(
          "labels", i, absl::StrCat(".version: expected a positive number, got ", label.version()));
    }
    if (config_.labels.emplace(label.name(), label.version()).second) return absl::OkStatus();
    return FieldError(
        "labels", i,
        absl::StrCat(".name: expected each label once, got '", label.name(), "' twice"));
  }

  absl::Status ReadDefaultLabel() {
    config_.default_label = message_.default_label();
    if (config_.default_label.empty() || config_.labels.contains(config_.default_label)) {
      return absl::OkStatus();
    }
    std::vector<std::string> names;
    for (const auto& [name, version] : config_.labels) names.push_back(name);
    const std::string nearest = NearName(config_.default_label, names);
    return FieldError(
        "default_label", -1,
        absl::StrCat(": expected one of the labels (",
                     names.empty() ? "there are none" : absl::StrJoin(names, ", "), "), got '",
                     absl::CHexEscape(config_.default_label), "'",
                     nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?")));
  }

  const v1::ServingConfig& message_;
  const Locations& locations_;
  const std::string& place_;
  ServingConfig config_;
};

}  // namespace

absl::StatusOr<ServingConfig> ParseServingConfig(const std::string& text,
                                                 const std::string& place) {
  v1::ServingConfig message;
  Locations locations;
  LIPSERVE_RETURN_IF_ERROR(ParseProtoText(text, place, message, &locations));
  return Reader(message, locations, place).Read();
}

absl::StatusOr<ServingConfig> ReadServingConfig(const std::string& path) {
  LIPSERVE_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  return ParseServingConfig(text, path);
}

std::string DescribePolicy(const VersionPolicy& policy) {
  switch (policy.kind) {
    case VersionPolicy::Kind::kAll:
      return "all";
    case VersionPolicy::Kind::kLatest:
      return absl::StrCat("latest ", policy.num_versions);
    case VersionPolicy::Kind::kSpecific:
      return absl::StrCat("specific ", absl::StrJoin(policy.versions, ", "));
  }
  return "";
}

}  // namespace lipserve
