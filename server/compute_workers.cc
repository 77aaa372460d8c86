// SPDX-License-Identifier: Apache-2.0
#include "server/compute_workers.h"

#include "model/execution/onednn.h"
#include "server/batch_executor.h"

namespace lipserve {
namespace {

void ExecuteUntilClosed(RequestQueue& queue, const Clock& clock) {
  onednn::SetThreadsOfThisThread(1);
  BatchExecutor executor(clock);
  std::vector<ClassificationTask*> batch;
  while (queue.TakeBatch(batch)) {
    executor.Execute(batch);
    queue.BatchDone();
  }
}

}  // namespace

ComputeWorkers::ComputeWorkers(std::size_t count, RequestQueue& queue, const Clock& clock)
    : queue_(queue), clock_(clock) {
  threads_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    threads_.emplace_back([&queue, &clock] { ExecuteUntilClosed(queue, clock); });
  }
}

ComputeWorkers::~ComputeWorkers() {
  queue_.Close();
  ExecuteUntilClosed(queue_, clock_);
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace lipserve
