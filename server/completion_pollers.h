// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_COMPLETION_POLLERS_H_
#define SERVER_COMPLETION_POLLERS_H_

#include <grpcpp/completion_queue.h>

#include <cstddef>
#include <thread>
#include <vector>

namespace lipserve {

// Threads that hand the events of one completion queue to their calls. Every tag on the queue must
// be a CompletionEvent.
class CompletionPollers {
 public:
  // Starts `count` threads, each with a single OpenMP thread. Requires: queue outlives this object.
  CompletionPollers(std::size_t count, grpc::CompletionQueue& queue);

  // Shuts the queue down, handles what is left on it, and joins. Requires: nothing can be put on
  // the queue any more.
  ~CompletionPollers();
  CompletionPollers(const CompletionPollers&) = delete;
  CompletionPollers& operator=(const CompletionPollers&) = delete;

 private:
  grpc::CompletionQueue& queue_;
  std::vector<std::thread> threads_;
};

}  // namespace lipserve

#endif  // SERVER_COMPLETION_POLLERS_H_
