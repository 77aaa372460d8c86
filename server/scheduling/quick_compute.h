// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_QUICK_COMPUTE_H_
#define SERVER_SCHEDULING_QUICK_COMPUTE_H_

#include <chrono>
#include <cstddef>
#include <vector>

#include "server/operations/clock.h"
#include "server/scheduling/answer_delivery.h"
#include "server/scheduling/batch_executor.h"
#include "server/scheduling/exact_stage.h"
#include "server/scheduling/request_queue.h"

namespace lipserve {

// Computes quick batches on the calling thread, a poller, between two polls of the network. For
// small models this costs less than waking a worker.
//
//   QuickCompute compute(queue, std::chrono::microseconds(200), clock, delivery, exact_stage);
//   const std::size_t answered = compute.Run();
//
// Threads: one at a time.
class QuickCompute {
 public:
  // Run stops after about this many budgets. It does not stop sooner, because waking a worker costs
  // one thread switch per batch, and gRPC one more per answer.
  static constexpr int kMaxBudgetsPerRun = 5;

  // A poller wakes a worker when queued work exceeds this many budgets. For less, a worker would
  // cost more than it gains: cold caches, and a core that the clients may need.
  static constexpr int kBudgetsBeforeSharing = 2;

  // Run computes batches that are expected to take at most `budget`, for about kMaxBudgetsPerRun *
  // budget in total.
  //
  // Requires: queue, clock, delivery and exact_stage outlive the object.
  QuickCompute(RequestQueue& queue, std::chrono::nanoseconds budget, const Clock& clock,
               PromptDelivery& delivery, ExactStage& exact_stage)
      : queue_(queue), budget_(budget), clock_(clock), executor_(clock, delivery, exact_stage) {}

  // Returns how many requests it answered. The workers compute what it leaves.
  std::size_t Run();

 private:
  RequestQueue& queue_;
  const std::chrono::nanoseconds budget_;
  const Clock& clock_;
  BatchExecutor executor_;
  std::vector<ClassificationTask*> batch_;
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_QUICK_COMPUTE_H_
