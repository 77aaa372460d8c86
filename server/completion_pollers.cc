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
  LIPSERVE_ASSIGN_OR_RETURN(pollers->threads_,
                            CheckedThreads::Start(
                                count, [&queue] { PollUntilShutdown(queue); }, check));
  return pollers;
}

CompletionPollers::~CompletionPollers() {
  if (threads_ != nullptr) queue_.Shutdown();
}

}  // namespace lipserve
