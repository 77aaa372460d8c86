// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_BUSY_POLL_H_
#define SERVER_RPC_BUSY_POLL_H_

#include <algorithm>
#include <chrono>

namespace lipserve {

// Decides when a poller that has nothing to do keeps looking instead of going to sleep.
//
// To be woken for a request takes longer than to answer it, on a virtual machine above all. A
// client that calls again as soon as it has its answer is spared that if the poller goes on looking
// for a while after each answer. Where nothing comes in that while, it lets twice as many answers
// pass before it tries again, up to 64: so a server with rare calls sleeps.
//
// Threads: one at a time.
class BusyPoll {
 public:
  // Looks for `duration` at a time; 0: never.
  explicit BusyPoll(std::chrono::nanoseconds duration) : duration_(duration) {}

  std::chrono::nanoseconds duration() const { return duration_; }

  // Whether to look now that answers have been given. If so, tell by Record whether anything came.
  bool ShouldPoll() {
    if (duration_ <= std::chrono::nanoseconds::zero()) return false;
    if (answers_to_skip_ == 0) return true;
    --answers_to_skip_;
    return false;
  }

  void Record(bool came) {
    constexpr int kMaxSkipped = 64;
    next_skip_ = came ? 1 : std::min(2 * next_skip_, kMaxSkipped);
    answers_to_skip_ = came ? 0 : next_skip_;
  }

 private:
  const std::chrono::nanoseconds duration_;
  int answers_to_skip_ = 0;
  int next_skip_ = 1;
};

}  // namespace lipserve

#endif  // SERVER_RPC_BUSY_POLL_H_
