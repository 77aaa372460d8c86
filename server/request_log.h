// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REQUEST_LOG_H_
#define SERVER_REQUEST_LOG_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/concurrency/mutex.h"
#include "server/clock.h"

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
// errors, as long as there are not too many of them.
//
// Threads: all functions are safe to call from any thread; `write` is called by any.
class RequestLog {
 public:
  using Write = std::function<void(const AnsweredRequest&)>;

  struct Settings {
    std::uint32_t every = 0;  // of the requests that went well, each so-many-th; 0: no log at all
    std::uint32_t most_errors_per_second = 10;
    Write write = [](const AnsweredRequest& /*request*/) {};
  };

  // Requires: clock outlives the log.
  RequestLog(Settings settings, const Clock& clock)
      : settings_(std::move(settings)), clock_(clock) {}

  void Add(AnsweredRequest request);

 private:
  bool TellsOfError(std::uint64_t& untold);

  const Settings settings_;
  const Clock& clock_;
  std::atomic<std::uint64_t> successes_{0};
  Mutex mutex_;
  Clock::TimePoint second_began_ ABSL_GUARDED_BY(mutex_);
  std::uint32_t told_ ABSL_GUARDED_BY(mutex_) = 0;  // errors in this second
  std::uint64_t untold_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace lipserve

#endif  // SERVER_REQUEST_LOG_H_
