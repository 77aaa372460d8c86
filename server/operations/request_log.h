// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_REQUEST_LOG_H_
#define SERVER_OPERATIONS_REQUEST_LOG_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/operations/clock.h"
#include "server/operations/log_control.h"
#include "server/operations/rate_limit.h"

namespace lipserve {

// The log entry of one answered request. Borrowed: valid only during the call that receives it.
struct AnsweredRequest {
  const char* method = "";
  absl::string_view model = {};  // empty: the request named no served model
  std::int64_t version = 0;
  absl::string_view request_id = {};  // as the client sent it
  const absl::Status& status;
  double seconds = 0.0;             // from arrival to answer
  std::uint64_t untold_errors = 0;  // suppressed since the last logged error
};

// Decides which answered requests are logged: a sample of the successful ones, and errors at a
// bounded rate, according to LogControl.
//
// Threads: all functions are safe to call from any thread; `write` is called by any.
class RequestLog {
 public:
  using Write = std::function<void(const AnsweredRequest&)>;

  static constexpr std::uint32_t kMaxErrorsPerSecond = 10;

  // Requires: control and clock outlive the log.
  RequestLog(const LogControl& control, Write write, const Clock& clock)
      : control_(control), write_(std::move(write)), errors_(kMaxErrorsPerSecond, clock) {}

  void Add(AnsweredRequest request);

 private:
  const LogControl& control_;
  const Write write_;
  std::atomic<std::uint64_t> successes_{0};
  RateLimit errors_;
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_REQUEST_LOG_H_
