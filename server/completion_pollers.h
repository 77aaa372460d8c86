// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_COMPLETION_POLLERS_H_
#define SERVER_COMPLETION_POLLERS_H_

#include <grpcpp/completion_queue.h>

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "model/concurrency/mutex.h"
#include "server/checked_threads.h"

namespace lipserve {

// Threads that hand the events of one completion queue to their calls. Every tag on the queue must
// be a CompletionEvent.
class CompletionPollers {
 public:
  // What a poller does when it has handled all events that had come.
  using RoundEnd = std::function<void()>;

  // Starts `count` threads, once each has passed `check`: a poller may execute quick requests
  // itself, at the end of a round, for which `new_round_end` makes each one function of its own.
  // They wait for Begin.
  //
  // Requires: queue, and what the functions refer to, outlive the pollers.
  // Errors:   those of CheckedThreads::Start.
  static absl::StatusOr<std::unique_ptr<CompletionPollers>> Start(
      std::size_t count, grpc::CompletionQueue& queue, std::function<RoundEnd()> new_round_end,
      const ThreadCheck& check);

  // Lets the threads take events. What the caller has put on the queue before is whole for them,
  // which ThreadSanitizer can see too.
  void Begin();

  // Shuts the queue down, handles what is left on it, and joins. Requires: nothing can be put on
  // the queue any more.
  ~CompletionPollers();
  CompletionPollers(const CompletionPollers&) = delete;
  CompletionPollers& operator=(const CompletionPollers&) = delete;

 private:
  explicit CompletionPollers(grpc::CompletionQueue& queue) : queue_(queue) {}
  void WaitForBegin();

  grpc::CompletionQueue& queue_;
  Mutex mutex_;
  CondVar changed_;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<CheckedThreads> threads_;
};

}  // namespace lipserve

#endif  // SERVER_COMPLETION_POLLERS_H_
