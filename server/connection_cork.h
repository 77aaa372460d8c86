// SPDX-License-Identifier: Apache-2.0
// Lets answers that are ready together leave together.
//
// gRPC gives each answer to the kernel by itself, and what the kernel then does for it (a packet,
// its acknowledgement, waking the client) costs more than a small model's computation. Linux can
// be told to wait for more (TCP_CORK in tcp(7)); then the answers of a batch share all that.
#ifndef SERVER_CONNECTION_CORK_H_
#define SERVER_CONNECTION_CORK_H_

#include <cstddef>
#include <vector>

#include "server/clock.h"

namespace lipserve {

// Holds back what is written to clients for the short while in which several answers are written.
//
// gRPC tells nobody its connections, so the process's open files are searched for them now and
// then. What is known may therefore be old, and that is harmless: a new connection's answers are
// not held back yet; and if a number has come to mean another file since, that one is no TCP
// socket, or is held back and let go in one breath.
//
// Threads: one at a time; several corks may hold the same connections.
class ConnectionCork {
 public:
  // So many answers at most should be written under one hold: the first one waits for the last.
  static constexpr std::size_t kMostAnswers = 8;

  // Holds nothing back.
  ConnectionCork() = default;
  // For connections that clients have made to `port` of this process. Requires: clock outlives it.
  ConnectionCork(int port, const Clock& clock) : port_(port), clock_(&clock) {}

  // While it lives, what is written waits; then it leaves at once.
  class Hold {
   public:
    explicit Hold(const std::vector<int>* connections) : connections_(connections) {}
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    const std::vector<int>* connections_;  // null if nothing is held
  };

  // Holds back all connections, if `answers`, the number of those about to be written, is at least
  // two for each; with fewer it costs more than it saves. The cork must outlive the hold, and has
  // one at a time.
  [[nodiscard]] Hold HoldBack(std::size_t answers);

 private:
  void FindConnections();

  int port_ = 0;
  const Clock* clock_ = nullptr;
  Clock::TimePoint next_search_ = Clock::TimePoint::min();
  std::vector<int> connections_;  // file descriptors; no more than can be held
  bool too_many_ = false;         // there are more
};

}  // namespace lipserve

#endif  // SERVER_CONNECTION_CORK_H_
