// SPDX-License-Identifier: Apache-2.0
#include "server/compute_workers.h"

#include "model/execution/onednn.h"
#include "model/status_macros.h"
#include "server/batch_executor.h"

namespace lipserve {
namespace {

void ExecuteUntilClosed(RequestQueue& queue, const Clock& clock) {
  BatchExecutor executor(clock);
  std::vector<ClassificationTask*> batch;
  while (queue.TakeBatch(batch)) {
    executor.Execute(batch);
    queue.BatchDone();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<ComputeWorkers>> ComputeWorkers::Start(std::size_t count,
                                                                      RequestQueue& queue,
                                                                      const Clock& clock,
                                                                      const ThreadCheck& check) {
  std::unique_ptr<ComputeWorkers> workers(new ComputeWorkers(queue, clock));
  LIPSERVE_ASSIGN_OR_RETURN(
      workers->threads_, CheckedThreads::Start(
                             count, [&queue, &clock] { ExecuteUntilClosed(queue, clock); }, check));
  return workers;
}

ComputeWorkers::~ComputeWorkers() {
  queue_.Close();
  onednn::SetThreadsOfThisThread(1);
  ExecuteUntilClosed(queue_, clock_);
}

}  // namespace lipserve
