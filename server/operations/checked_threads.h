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

// Says whether the calling thread may decide classes and radii: CheckStrictFloatingPoint, or what a
// test puts in its place.
using ThreadCheck = std::function<absl::Status()>;

// Threads that decide classes and radii, each with a single OpenMP thread. None starts to work
// before all have passed their check.
//
// Threads: used by the thread that owns it.
class CheckedThreads {
 public:
  // Starts `count` threads that run `body`, and waits for their checks.
  //
  // Errors: that of the first thread to fail its check; no body has run then, and all have ended.
  static absl::StatusOr<std::unique_ptr<CheckedThreads>> Start(std::size_t count,
                                                               std::function<void()> body,
                                                               ThreadCheck check);

  // Waits for the ends of all bodies.
  ~CheckedThreads();
  CheckedThreads(const CheckedThreads&) = delete;
  CheckedThreads& operator=(const CheckedThreads&) = delete;

 private:
  CheckedThreads(std::function<void()> body, ThreadCheck check);
  void Run();
  // Waits until each of `count` threads has reported, and tells them whether to go on.
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
