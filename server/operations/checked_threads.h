// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_CHECKED_THREADS_H_
#define SERVER_OPERATIONS_CHECKED_THREADS_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/foundation/mutex.h"

namespace lipserve {

// Checks that the calling thread may decide classes and radii: CheckStrictFloatingPoint, or a
// test's replacement.
using ThreadCheck = std::function<absl::Status()>;

// Threads that decide classes and radii. Each has a single OpenMP thread. None runs its body before
// all have passed their check.
//
//   auto threads = CheckedThreads::Start(2, [] { Serve(); }, CheckStrictFloatingPoint);
//
// Threads: used by the thread that owns it.
class CheckedThreads {
 public:
  // Starts `count` threads that run `body`, and waits for their checks.
  //
  // Errors: that of the first thread that fails its check. Then no body has run, and all threads
  //         have ended.
  static absl::StatusOr<std::unique_ptr<CheckedThreads>> Start(std::size_t count,
                                                               std::function<void()> body,
                                                               ThreadCheck check);

  // Waits until all bodies have returned.
  ~CheckedThreads();
  CheckedThreads(const CheckedThreads&) = delete;
  CheckedThreads& operator=(const CheckedThreads&) = delete;

 private:
  CheckedThreads(std::function<void()> body, ThreadCheck check);
  void Run();
  // Waits for the checks of all `count` threads, then lets them run or ends them.
  absl::Status AwaitChecks(std::size_t count);

  const std::function<void()> body_;
  const ThreadCheck check_;

  Mutex mutex_;
  CondVar changed_;
  std::size_t reported_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status checked_ ABSL_GUARDED_BY(mutex_);          // the first failure
  std::optional<bool> may_work_ ABSL_GUARDED_BY(mutex_);  // set once all have reported
  std::vector<std::thread> threads_;
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_CHECKED_THREADS_H_
