// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_RATE_LIMIT_H_
#define SERVER_OPERATIONS_RATE_LIMIT_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "model/foundation/mutex.h"
#include "server/operations/clock.h"

namespace lipserve {

// Passes a limited number of events per second, and counts the suppressed ones.
//
//   if (const auto suppressed = limit.TryPass()) Log(event, *suppressed);
//
// Threads: all functions are safe to call from any thread.
class RateLimit {
 public:
  // Requires: clock outlives the object.
  RateLimit(std::uint32_t most_per_second, const Clock& clock)
      : most_per_second_(most_per_second), clock_(clock) {}

  // Returns none if this event is suppressed. If it passes, returns how many were suppressed since
  // the last one that passed.
  std::optional<std::uint64_t> TryPass() {
    const Clock::TimePoint now = clock_.Now();
    MutexLock lock(mutex_);
    if (now - second_began_ >= std::chrono::seconds(1)) {
      second_began_ = now;
      passed_ = 0;
    }
    if (passed_ == most_per_second_) {
      ++suppressed_;
      return std::nullopt;
    }
    ++passed_;
    return std::exchange(suppressed_, 0);
  }

 private:
  const std::uint32_t most_per_second_;
  const Clock& clock_;
  Mutex mutex_;
  Clock::TimePoint second_began_ ABSL_GUARDED_BY(mutex_);
  std::uint32_t passed_ ABSL_GUARDED_BY(mutex_) = 0;  // in this second
  std::uint64_t suppressed_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_RATE_LIMIT_H_
