// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_BUSY_POLL_H_
#define SERVER_RPC_BUSY_POLL_H_

#include <algorithm>
#include <chrono>

namespace lipserve {

// Decides when an idle poller busy-polls instead of sleeping.
//
//   BusyPoll busy_poll(std::chrono::microseconds(100));
//   if (busy_poll.ShouldPoll()) busy_poll.Record(PollFor(busy_poll.duration()));
//
// Waking a thread for a request takes longer than answering it, above all on a virtual machine. A
// client that calls again at once is spared the wake-up if the poller keeps polling after each
// answer. If no event comes in that time, the poller backs off: it skips twice as many answers
// before the next try, up to 64. So a server with rare calls sleeps.
//
// Threads: one at a time.
class BusyPoll {
 public:
  // Polls for at most `duration` at a time; 0 disables busy polling.
  explicit BusyPoll(std::chrono::nanoseconds duration) : duration_(duration) {}

  std::chrono::nanoseconds duration() const { return duration_; }

  // Whether to busy-poll now, after answers have been sent. If true, report the outcome to Record.
  bool ShouldPoll() {
    if (duration_ <= std::chrono::nanoseconds::zero()) return false;
    if (answers_to_skip_ == 0) return true;
    --answers_to_skip_;
    return false;
  }

  // Records whether an event came while polling.
  void Record(bool found_event) {
    constexpr int kMaxSkipped = 64;
    next_skip_ = found_event ? 1 : std::min(2 * next_skip_, kMaxSkipped);
    answers_to_skip_ = found_event ? 0 : next_skip_;
  }

 private:
  const std::chrono::nanoseconds duration_;
  int answers_to_skip_ = 0;
  int next_skip_ = 1;
};

}  // namespace lipserve

#endif  // SERVER_RPC_BUSY_POLL_H_
