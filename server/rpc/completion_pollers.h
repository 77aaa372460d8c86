// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_COMPLETION_POLLERS_H_
#define SERVER_RPC_COMPLETION_POLLERS_H_

#include <grpcpp/completion_queue.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "model/foundation/mutex.h"
#include "server/operations/checked_threads.h"

namespace lipserve {

// What one poller does besides handing on events.
class PollerWork {
 public:
  PollerWork() = default;
  virtual ~PollerWork() = default;
  PollerWork(const PollerWork&) = delete;
  PollerWork& operator=(const PollerWork&) = delete;

  // Answers the quick ones of the requests that have come; returns how many.
  virtual std::size_t AnswerQuickRequests() = 0;

  // What no client waits for.
  virtual void CleanUp() = 0;

  // Whether the poller may look for events without sleeping: false while others need the cores.
  virtual bool MayBusyPoll() const = 0;
};

// Threads that hand the events of one completion queue to their calls. Every tag on the queue must
// be a CompletionEvent.
//
// A poller takes all events that have come and then answers the requests among them together, in a
// batch. While requests come one by one it answers each before it looks for more. After answers it
// polls busily for a while where BusyPoll expects that to be worth it.
class CompletionPollers {
 public:
  using NewWork = std::function<std::unique_ptr<PollerWork>()>;

  // Starts `count` threads, once each has passed `check`, since it may compute; each makes work of
  // its own. They wait for Begin. `busy_poll`: BusyPoll's longest look.
  //
  // Requires: queue, and what the work refers to, outlive the pollers.
  // Errors:   those of CheckedThreads::Start.
  static absl::StatusOr<std::unique_ptr<CompletionPollers>> Start(
      std::size_t count, grpc::CompletionQueue& queue, NewWork new_work,
      std::chrono::nanoseconds busy_poll, const ThreadCheck& check);

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

#endif  // SERVER_RPC_COMPLETION_POLLERS_H_
