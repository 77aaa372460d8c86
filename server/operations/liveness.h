// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_LIVENESS_H_
#define SERVER_OPERATIONS_LIVENESS_H_

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "model/foundation/mutex.h"

namespace lipserve {

// Whether the process still hears and answers calls, for /livez and /readyz.
//
//   Liveness liveness;                     // alive: nothing was promised yet
//   liveness.SetProbe([] { return AskMyself(); });
//   liveness.Check();                      // what the probe says
//   liveness.SetProbe(nullptr);            // before what the probe uses goes
//
// Threads: all functions are safe to call from any thread. One check runs at a time.
class Liveness {
 public:
  using Probe = std::function<absl::Status()>;

  // Waits for a check that runs.
  void SetProbe(Probe probe) {
    MutexLock lock(mutex_);
    probe_ = std::move(probe);
  }

  // OK without a probe.
  //
  // Errors: those of the probe.
  absl::Status Check() {
    MutexLock lock(mutex_);
    return probe_ == nullptr ? absl::OkStatus() : probe_();
  }

 private:
  Mutex mutex_;
  Probe probe_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_LIVENESS_H_
