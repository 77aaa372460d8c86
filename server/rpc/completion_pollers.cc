// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/completion_pollers.h"

#include <chrono>
#include <utility>

#include "model/foundation/status_macros.h"
#include "server/rpc/busy_poll.h"
#include "server/rpc/completion_event.h"

namespace lipserve {
namespace {

// Bounds a round, so that calls that wait for its end do not wait long.
constexpr int kMaxEventsPerRound = 128;

// Dispatches events that are ready, at most `max_events`, without waiting for more.
void DrainReadyEvents(grpc::CompletionQueue& queue, int max_events) {
  void* tag = nullptr;
  bool ok = false;
  for (int i = 0; i < max_events; ++i) {
    if (queue.AsyncNext(&tag, &ok, std::chrono::system_clock::time_point()) !=
        grpc::CompletionQueue::GOT_EVENT) {
      return;
    }
    static_cast<CompletionEvent*>(tag)->Dispatch(ok);
  }
}

// Polls for the next event without sleeping, for at most `duration`. Returns what AsyncNext
// returns: an event, TIMEOUT, or SHUTDOWN of the queue.
grpc::CompletionQueue::NextStatus BusyPollNext(grpc::CompletionQueue& queue,
                                               std::chrono::nanoseconds duration, void** tag,
                                               bool* ok) {
  const auto end = std::chrono::steady_clock::now() + duration;
  grpc::CompletionQueue::NextStatus status = grpc::CompletionQueue::TIMEOUT;
  do {
    status = queue.AsyncNext(tag, ok, std::chrono::system_clock::time_point());
  } while (status == grpc::CompletionQueue::TIMEOUT && std::chrono::steady_clock::now() < end);
  return status;
}

void PollUntilShutdown(grpc::CompletionQueue& queue, PollerWork& work, BusyPoll busy_poll) {
  std::size_t answered = 0;  // requests answered in the last round
  void* tag = nullptr;
  bool ok = false;
  const auto next = [&] {
    if (answered > 0 && work.MayBusyPoll() && busy_poll.ShouldPoll()) {
      const auto status = BusyPollNext(queue, busy_poll.duration(), &tag, &ok);
      busy_poll.Record(status == grpc::CompletionQueue::GOT_EVENT);
      if (status != grpc::CompletionQueue::TIMEOUT) {
        return status == grpc::CompletionQueue::GOT_EVENT;
      }
    }
    return queue.Next(&tag, &ok);
  };
  while (next()) {
    const bool had_several = answered > 1;
    static_cast<CompletionEvent*>(tag)->Dispatch(ok);
    // One request at a time: answer at once. Several: collect the round first, for a larger batch.
    answered = had_several ? 0 : work.AnswerQuickRequests();
    DrainReadyEvents(queue, kMaxEventsPerRound - 1);
    answered += work.AnswerQuickRequests();
    work.CleanUp();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<CompletionPollers>> CompletionPollers::Start(
    std::size_t count, grpc::CompletionQueue& queue, NewWork new_work,
    std::chrono::nanoseconds busy_poll, const ThreadCheck& check) {
  std::unique_ptr<CompletionPollers> pollers(new CompletionPollers(queue));
  const auto body = [&pollers = *pollers, new_work = std::move(new_work), busy_poll] {
    pollers.WaitForBegin();
    PollUntilShutdown(pollers.queue_, *new_work(), BusyPoll(busy_poll));
  };
  LIPSERVE_ASSIGN_OR_RETURN(pollers->threads_, CheckedThreads::Start(count, body, check));
  return pollers;
}

void CompletionPollers::Begin() {
  MutexLock lock(mutex_);
  begun_ = true;
  changed_.NotifyAll();
}

void CompletionPollers::WaitForBegin() {
  MutexLock lock(mutex_);
  while (!begun_) changed_.Wait(mutex_);
}

CompletionPollers::~CompletionPollers() {
  if (threads_ == nullptr) return;
  Begin();
  queue_.Shutdown();
}

}  // namespace lipserve
