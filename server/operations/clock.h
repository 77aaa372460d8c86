// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_CLOCK_H_
#define SERVER_OPERATIONS_CLOCK_H_

#include <chrono>

namespace lipserve {

// The server's source of time. It is passed in, so that tests control the time.
//
// Threads: Now is safe to call from any thread.
class Clock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
};

// The system's monotonic clock.
class SteadyClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
};

// The length of a time span in seconds, for metrics.
inline double SecondsBetween(Clock::TimePoint from, Clock::TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_CLOCK_H_
