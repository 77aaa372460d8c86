// SPDX-License-Identifier: Apache-2.0
#include "server/completion_pollers.h"

#include "model/execution/onednn.h"
#include "server/unary_call.h"

namespace lipserve {
namespace {

void PollUntilShutdown(grpc::CompletionQueue& queue) {
  onednn::SetThreadsOfThisThread(1);  // a poller may execute a small request itself
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<CompletionEvent*>(tag)->Happen(ok);
}

}  // namespace

CompletionPollers::CompletionPollers(std::size_t count, grpc::CompletionQueue& queue)
    : queue_(queue) {
  threads_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    threads_.emplace_back([&queue] { PollUntilShutdown(queue); });
  }
}

CompletionPollers::~CompletionPollers() {
  queue_.Shutdown();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace lipserve
