// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_QUICK_COMPUTE_H_
#define SERVER_SCHEDULING_QUICK_COMPUTE_H_

#include <chrono>
#include <cstddef>
#include <vector>

#include "server/operations/clock.h"
#include "server/scheduling/answer_delivery.h"
#include "server/scheduling/batch_executor.h"
#include "server/scheduling/request_queue.h"

namespace lipserve {

// Executes on the calling thread what is queued and quick. Small models are answered between two
// looks at the network, in batches of what has arrived, which costs less than to wake a worker.
//
// Threads: one at a time.
class QuickCompute {
 public:
  // Time in a row that Run takes, in batches: what it leaves to the workers costs a thread switch
  // for each batch and gRPC one for each answer, so the poller goes on while that is not felt.
  static constexpr int kMaxBudgetsPerRun = 5;

  // What is queued for so many budgets is not worth waking a worker for, which costs its caches and
  // a core that the clients may need; beyond, a second core is.
  static constexpr int kBudgetsBeforeSharing = 2;

  // Run computes batches that are expected to take at most `budget`, and spends about
  // kMaxBudgetsPerRun times that. Requires: queue, clock and delivery outlive it.
  QuickCompute(RequestQueue& queue, std::chrono::nanoseconds budget, const Clock& clock,
               PromptDelivery& delivery)
      : queue_(queue), budget_(budget), clock_(clock), executor_(clock, delivery) {}

  // Returns how many requests it has answered. What it leaves is the workers'.
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
