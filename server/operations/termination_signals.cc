// SPDX-License-Identifier: Apache-2.0
#include "server/operations/termination_signals.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace lipserve {
namespace {

sigset_t TerminationSignalSet() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

void BlockTerminationSignals() {
  const sigset_t signals = TerminationSignalSet();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

TerminationSignals::TerminationSignals(std::function<void(int signal)> on_first)
    : thread_([this, on_first = std::move(on_first)] {
        constexpr int kKilledBySignal = 128;
        const sigset_t signals = TerminationSignalSet();
        for (bool first = true;; first = false) {
          int signal = 0;
          ::sigwait(&signals, &signal);
          if (stopping_.load()) return;
          if (!first) ::_exit(kKilledBySignal + signal);
          on_first(signal);
        }
      }) {}

TerminationSignals::~TerminationSignals() {
  stopping_.store(true);
  ::pthread_kill(thread_.native_handle(), SIGINT);  // blocked; ends its sigwait
  thread_.join();
}

}  // namespace lipserve
