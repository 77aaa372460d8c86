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
  // Looks for `longest` at a time; 0: never.
  explicit BusyPoll(std::chrono::nanoseconds longest) : longest_(longest) {}

  std::chrono::nanoseconds longest() const { return longest_; }

  // Whether to look now that answers have been given. If so, tell by Ended whether anything came.
  bool Begin() {
    if (longest_ <= std::chrono::nanoseconds::zero()) return false;
    if (answers_to_skip_ == 0) return true;
    --answers_to_skip_;
    return false;
  }

  void Ended(bool came) {
    constexpr int kMostSkipped = 64;
    next_skip_ = came ? 1 : std::min(2 * next_skip_, kMostSkipped);
    answers_to_skip_ = came ? 0 : next_skip_;
  }

 private:
  const std::chrono::nanoseconds longest_;
  int answers_to_skip_ = 0;
  int next_skip_ = 1;
};

}  // namespace lipserve

#endif  // SERVER_RPC_BUSY_POLL_H_
