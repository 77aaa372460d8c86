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

// What the log says of one answered request. Borrowed: valid for the call that gets it.
struct AnsweredRequest {
  const char* method = "";
  absl::string_view model = {};  // empty: none was found
  std::int64_t version = 0;
  absl::string_view request_id = {};  // as the client sent it
  const absl::Status& status;
  double seconds = 0.0;             // from arrival to answer
  std::uint64_t untold_errors = 0;  // since the last one that was told
};

// Chooses which answered requests the log tells of: a sample of those that went well, and the
// errors, as long as there are not too many of them; as LogControl says at the moment.
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
