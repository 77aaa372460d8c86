// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/inference_log_settings.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "proto/text/near_name.h"
#include "server/operations/request_error.h"

namespace lipserve {
namespace {

using Value = inference::LogSettingsRequest::SettingValue;

std::string SettingField(const std::string& name) {
  return absl::StrCat("settings[", Quoted(name), "]");
}

absl::Status ReadBool(const std::string& name, const Value& value, bool& setting) {
  if (value.parameter_choice_case() != Value::kBoolParam) {
    return InvalidField(SettingField(name), "expected a bool");
  }
  setting = value.bool_param();
  return absl::OkStatus();
}

absl::Status ReadNumber(const std::string& name, const Value& value, std::uint32_t& setting) {
  if (value.parameter_choice_case() != Value::kUint32Param) {
    return InvalidField(SettingField(name), "expected a uint32");
  }
  setting = value.uint32_param();
  return absl::OkStatus();
}

absl::Status ReadVerbosity(const std::string& name, const Value& value, std::uint32_t& requests) {
  std::uint32_t level = 0;
  LIPSERVE_RETURN_IF_ERROR(ReadNumber(name, value, level));
  requests = level > 0 ? 1 : 0;
  return absl::OkStatus();
}

absl::Status UnknownSetting(const std::string& name) {
  if (name == "log_file" || name == "log_format") {
    return InvalidField(SettingField(name),
                        "expected none: the log goes to standard error, in the format of "
                        "--log-format, as long as the server runs");
  }
  const std::vector<std::string> known = {"log_info", "log_warning", "log_error",
                                          "log_verbose_level", "log_requests"};
  const std::string near = NearName(name, known);
  return InvalidField(SettingField(name),
                      absl::StrCat("expected one of ", absl::StrJoin(known, ", "),
                                   near.empty() ? "" : absl::StrCat("; did you mean ", near, "?")));
}

absl::Status ChangeSetting(const std::string& name, const Value& value, LogSettings& settings) {
  if (name == "log_info") return ReadBool(name, value, settings.info);
  if (name == "log_warning") return ReadBool(name, value, settings.warning);
  if (name == "log_error") return ReadBool(name, value, settings.errors);
  if (name == "log_requests") return ReadNumber(name, value, settings.requests);
  if (name == "log_verbose_level") return ReadVerbosity(name, value, settings.requests);
  return UnknownSetting(name);
}

}  // namespace

absl::StatusOr<LogSettings> ApplyLogSettings(const inference::LogSettingsRequest& request,
                                             LogSettings settings) {
  if (request.settings().contains("log_verbose_level") &&
      request.settings().contains("log_requests")) {
    return InvalidField("settings", "expected log_verbose_level or log_requests, got both");
  }
  for (const auto& [name, value] : request.settings()) {
    LIPSERVE_RETURN_IF_ERROR(ChangeSetting(name, value, settings));
  }
  return settings;
}

void DescribeLog(const LogSettings& settings, inference::LogSettingsResponse& response) {
  auto& fields = *response.mutable_settings();
  fields["log_info"].set_bool_param(settings.info);
  fields["log_warning"].set_bool_param(settings.warning);
  fields["log_error"].set_bool_param(settings.errors);
  fields["log_requests"].set_uint32_param(settings.requests);
  fields["log_verbose_level"].set_uint32_param(settings.requests == 1 ? 1 : 0);
}

}  // namespace lipserve
