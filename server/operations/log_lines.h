// SPDX-License-Identifier: Apache-2.0
// The lines of the log, for people or for programs.
#ifndef SERVER_OPERATIONS_LOG_LINES_H_
#define SERVER_OPERATIONS_LOG_LINES_H_

#include <chrono>
#include <string>

#include "server/operations/request_log.h"

namespace lipserve {

// Whether somebody should look at the message: it begins with "warning:" or "cannot".
bool IsWarning(const std::string& message);

enum class LogFormat {
  kText,  // "lipserve-server: MESSAGE"
  kJson,  // one object a line: time, level, message, and for requests what is known of them
};

// What happened, in one line without its end. Text from clients is escaped. The level is WARNING or
// INFO.
std::string LogLine(LogFormat format, const std::string& message,
                    std::chrono::system_clock::time_point time);
std::string LogLine(LogFormat format, const AnsweredRequest& request,
                    std::chrono::system_clock::time_point time);

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_LOG_LINES_H_
