// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/compute_workers.h"

#include <sys/resource.h>

#include "model/execution/onednn.h"
#include "model/foundation/status_macros.h"
#include "server/scheduling/batch_executor.h"

namespace lipserve {
namespace {

// Under contention a worker gets a third of a poller's CPU, and a poller that wakes up need not
// wait for a worker's time slice. So a busy server still refuses requests quickly.
constexpr int kNiceness = 5;

void ExecuteUntilClosed(RequestQueue& queue, const Clock& clock, AnswerDelivery& delivery,
                        ExactStage& exact_stage) {
  BatchExecutor executor(clock, delivery, exact_stage);
  std::vector<ClassificationTask*> batch;
  while (queue.TakeBatch(batch)) {
    executor.Execute(batch);
    queue.BatchDone();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<ComputeWorkers>> ComputeWorkers::Start(
    std::size_t count, RequestQueue& queue, const Clock& clock, AnswerDelivery& delivery,
    ExactStage& exact_stage, const ThreadCheck& check) {
  std::unique_ptr<ComputeWorkers> workers(new ComputeWorkers(queue, clock, exact_stage));
  const auto body = [&queue, &clock, &delivery, &exact_stage] {
    ::setpriority(PRIO_PROCESS, 0, kNiceness);  // of this thread, in Linux
    ExecuteUntilClosed(queue, clock, delivery, exact_stage);
  };
  LIPSERVE_ASSIGN_OR_RETURN(workers->threads_, CheckedThreads::Start(count, body, check));
  return workers;
}

ComputeWorkers::~ComputeWorkers() {
  queue_.Close();
  onednn::SetThreadsOfThisThread(1);
  PromptDelivery delivery;
  ExecuteUntilClosed(queue_, clock_, delivery, exact_stage_);
}

}  // namespace lipserve
