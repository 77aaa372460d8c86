// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_TERMINATION_SIGNALS_H_
#define SERVER_OPERATIONS_TERMINATION_SIGNALS_H_

#include <atomic>
#include <functional>
#include <thread>

namespace lipserve {

// Blocks SIGTERM and SIGINT in the calling thread and in all threads that it starts. Call it before
// any other thread exists. Blocked signals stay pending for TerminationSignals.
void BlockTerminationSignals();

// Calls a function on an ordinary thread when SIGTERM or SIGINT arrives.
//
//   BlockTerminationSignals();
//   const TerminationSignals signals([&server](int signal) { server.RequestStop(); });
class TerminationSignals {
 public:
  // Calls `on_first` with the first signal. A second signal ends the process at once, with exit
  // code 128 plus its number.
  //
  // Requires: BlockTerminationSignals was called; what on_first uses outlives this object.
  explicit TerminationSignals(std::function<void(int signal)> on_first);
  ~TerminationSignals();
  TerminationSignals(const TerminationSignals&) = delete;
  TerminationSignals& operator=(const TerminationSignals&) = delete;

 private:
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_TERMINATION_SIGNALS_H_
