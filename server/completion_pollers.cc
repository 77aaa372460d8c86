// SPDX-License-Identifier: Apache-2.0
#include "server/completion_pollers.h"

#include <chrono>
#include <utility>

#include "model/status_macros.h"
#include "server/completion_event.h"

namespace lipserve {
namespace {

// So many that calls which wait for the end of the round do not wait for long.
constexpr int kMostEventsInARound = 128;

void PollUntilShutdown(grpc::CompletionQueue& queue, const CompletionPollers::RoundEnd& end_round) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
    int events = 0;
    do {
      static_cast<CompletionEvent*>(tag)->Happen(ok);
    } while (++events < kMostEventsInARound &&
             queue.AsyncNext(&tag, &ok, std::chrono::system_clock::time_point()) ==
                 grpc::CompletionQueue::GOT_EVENT);
    end_round();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<CompletionPollers>> CompletionPollers::Start(
    std::size_t count, grpc::CompletionQueue& queue, std::function<RoundEnd()> new_round_end,
    const ThreadCheck& check) {
  std::unique_ptr<CompletionPollers> pollers(new CompletionPollers(queue));
  const auto body = [&pollers = *pollers, new_round_end = std::move(new_round_end)] {
    pollers.WaitForBegin();
    PollUntilShutdown(pollers.queue_, new_round_end());
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
