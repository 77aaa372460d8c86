// SPDX-License-Identifier: Apache-2.0
#include "server/operations/log_lines.h"

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "server/operations/request_error.h"

namespace lipserve {
namespace {

constexpr char kProgram[] = "lipserve-server: ";

std::string TimeText(std::chrono::system_clock::time_point time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromChrono(time), absl::UTCTimeZone());
}

std::string ToJson(const nlohmann::ordered_json& object) {
  // Invalid UTF-8 becomes U+FFFD.
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string CodeName(const absl::Status& status) {
  return status.ok() ? "OK" : absl::StatusCodeToString(status.code());
}

std::int64_t Microseconds(double seconds) { return static_cast<std::int64_t>(seconds * 1e6); }

}  // namespace

bool IsWarning(const std::string& message) {
  return absl::StartsWith(message, "warning:") || absl::StartsWith(message, "cannot");
}

std::string LogLine(LogFormat format, const std::string& message,
                    std::chrono::system_clock::time_point time) {
  if (format == LogFormat::kText) return absl::StrCat(kProgram, message);
  return ToJson({{"time", TimeText(time)},
                 {"level", IsWarning(message) ? "WARNING" : "INFO"},
                 {"message", message}});
}

std::string LogLine(LogFormat format, const AnsweredRequest& request,
                    std::chrono::system_clock::time_point time) {
  const absl::Status& status = request.status;
  if (format == LogFormat::kText) {
    std::string line = absl::StrCat(kProgram, request.method, " ");
    if (!request.model.empty()) absl::StrAppend(&line, request.model, "/", request.version, " ");
    absl::StrAppend(&line, CodeName(status), " in ", Microseconds(request.seconds), " us");
    if (!request.request_id.empty()) absl::StrAppend(&line, ", id ", Quoted(request.request_id));
    if (!status.ok()) absl::StrAppend(&line, ": ", status.message());
    if (request.untold_errors > 0) {
      absl::StrAppend(&line, " (", request.untold_errors, " errors before it were not told)");
    }
    return line;
  }
  nlohmann::ordered_json object = {{"time", TimeText(time)},
                                   {"level", status.ok() ? "INFO" : "WARNING"},
                                   {"message", std::string(status.message())},
                                   {"method", request.method},
                                   {"code", CodeName(status)},
                                   {"duration_us", Microseconds(request.seconds)}};
  if (!request.model.empty()) {
    object["model"] = std::string(request.model);
    object["version"] = request.version;
  }
  if (!request.request_id.empty()) object["request_id"] = std::string(request.request_id);
  if (request.untold_errors > 0) object["untold_errors"] = request.untold_errors;
  return ToJson(object);
}

}  // namespace lipserve
