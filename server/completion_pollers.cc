// SPDX-License-Identifier: Apache-2.0
#include "server/completion_pollers.h"

#include "model/status_macros.h"
#include "server/unary_call.h"

namespace lipserve {
namespace {

void PollUntilShutdown(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<CompletionEvent*>(tag)->Happen(ok);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CompletionPollers>> CompletionPollers::Start(
    std::size_t count, grpc::CompletionQueue& queue, const ThreadCheck& check) {
  std::unique_ptr<CompletionPollers> pollers(new CompletionPollers(queue));
  const auto body = [&pollers = *pollers] {
    pollers.WaitForBegin();
    PollUntilShutdown(pollers.queue_);
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
