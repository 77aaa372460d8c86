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

// Hands on what has come already, at most `most` events.
void HandOnWhatHasCome(grpc::CompletionQueue& queue, int most) {
  void* tag = nullptr;
  bool ok = false;
  for (int i = 0; i < most; ++i) {
    if (queue.AsyncNext(&tag, &ok, std::chrono::system_clock::time_point()) !=
        grpc::CompletionQueue::GOT_EVENT) {
      return;
    }
    static_cast<CompletionEvent*>(tag)->Happen(ok);
  }
}

void PollUntilShutdown(grpc::CompletionQueue& queue, PollerWork& work) {
  bool crowded = false;  // whether there were several requests in the last round
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
    static_cast<CompletionEvent*>(tag)->Happen(ok);
    const std::size_t alone = crowded ? 0 : work.AnswerQuickRequests();
    HandOnWhatHasCome(queue, kMostEventsInARound - 1);
    crowded = alone + work.AnswerQuickRequests() > 1;
    work.CleanUp();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<CompletionPollers>> CompletionPollers::Start(
    std::size_t count, grpc::CompletionQueue& queue, NewWork new_work, const ThreadCheck& check) {
  std::unique_ptr<CompletionPollers> pollers(new CompletionPollers(queue));
  const auto body = [&pollers = *pollers, new_work = std::move(new_work)] {
    pollers.WaitForBegin();
    PollUntilShutdown(pollers.queue_, *new_work());
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
