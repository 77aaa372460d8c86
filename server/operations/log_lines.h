// SPDX-License-Identifier: Apache-2.0
// Formats log lines, for people or for programs.
#ifndef SERVER_OPERATIONS_LOG_LINES_H_
#define SERVER_OPERATIONS_LOG_LINES_H_

#include <chrono>
#include <string>

#include "server/operations/request_log.h"

namespace lipserve {

// Whether the message is a warning: it starts with "warning:" or "cannot".
bool IsWarning(const std::string& message);

enum class LogFormat {
  kText,  // "lipserve-server: MESSAGE"
  kJson,  // one object a line: time, level, message, and the fields of a request
};

// Formats one line, without a line end. Text from clients is escaped. The level is WARNING or INFO.
std::string LogLine(LogFormat format, const std::string& message,
                    std::chrono::system_clock::time_point time);
std::string LogLine(LogFormat format, const AnsweredRequest& request,
                    std::chrono::system_clock::time_point time);

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_LOG_LINES_H_
