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

// The work of one poller between two polls of its queue.
class PollerWork {
 public:
  PollerWork() = default;
  virtual ~PollerWork() = default;
  PollerWork(const PollerWork&) = delete;
  PollerWork& operator=(const PollerWork&) = delete;

  // Answers the queued requests that are quick. Returns how many.
  virtual std::size_t AnswerQuickRequests() = 0;

  // Work that no client waits for, such as posting new calls. Called at the end of a round.
  virtual void CleanUp() = 0;

  // Whether the poller may busy-poll; false while other threads need the cores.
  virtual bool MayBusyPoll() const = 0;
};

// Threads that poll one completion queue and dispatch its events. Every tag on the queue must be a
// CompletionEvent.
//
//   auto pollers = CompletionPollers::Start(1, queue, new_work, busy_poll, check);
//   pools.Post();
//   (*pollers)->Begin();
//
// In a round, a poller dispatches all ready events and then answers their requests together, in a
// batch. While requests come one by one it answers each before it polls again. After answers it
// busy-polls where BusyPoll expects that to pay.
class CompletionPollers {
 public:
  using NewWork = std::function<std::unique_ptr<PollerWork>()>;

  // Starts `count` threads. Pollers may compute answers, so each must pass `check` first. Each
  // thread makes its own work with `new_work`, and then waits for Begin. `busy_poll` is the longest
  // busy poll.
  //
  // Requires: queue, and what the work refers to, outlive the pollers.
  // Errors:   those of CheckedThreads::Start.
  static absl::StatusOr<std::unique_ptr<CompletionPollers>> Start(
      std::size_t count, grpc::CompletionQueue& queue, NewWork new_work,
      std::chrono::nanoseconds busy_poll, const ThreadCheck& check);

  // Lets the threads poll. Everything the caller enqueued before Begin happens-before the first
  // poll, and ThreadSanitizer can see it.
  void Begin();

  // Shuts the queue down, dispatches its remaining events, and joins the threads.
  //
  // Requires: nothing is enqueued any more.
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
