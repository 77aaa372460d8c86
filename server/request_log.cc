// SPDX-License-Identifier: Apache-2.0
#include "server/request_log.h"

namespace lipserve {

void RequestLog::Add(AnsweredRequest request) {
  if (settings_.every == 0) return;
  if (request.status.ok()) {
    const std::uint64_t number = successes_.fetch_add(1, std::memory_order_relaxed);
    if (number % settings_.every == 0) settings_.write(request);
  } else if (TellsOfError(request.untold_errors)) {
    settings_.write(request);
  }
}

bool RequestLog::TellsOfError(std::uint64_t& untold) {
  const Clock::TimePoint now = clock_.Now();
  MutexLock lock(mutex_);
  if (now - second_began_ >= std::chrono::seconds(1)) {
    second_began_ = now;
    told_ = 0;
  }
  if (told_ == settings_.most_errors_per_second) {
    ++untold_;
    return false;
  }
  ++told_;
  untold = std::exchange(untold_, 0);
  return true;
}

}  // namespace lipserve
