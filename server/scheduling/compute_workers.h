// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_COMPUTE_WORKERS_H_
#define SERVER_SCHEDULING_COMPUTE_WORKERS_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "server/operations/checked_threads.h"
#include "server/operations/clock.h"
#include "server/scheduling/answer_delivery.h"
#include "server/scheduling/exact_stage.h"
#include "server/scheduling/request_queue.h"

namespace lipserve {

// Threads that execute the queue's batches. Each has a single OpenMP thread: parallelism comes from
// many requests, not from splitting one. They run at a lower priority than the pollers.
class ComputeWorkers {
 public:
  // Starts `count` threads, once each has passed `check`. They share `delivery` and `exact_stage`.
  //
  // Requires: queue, clock, delivery and exact_stage outlive the workers; the calling thread has
  // passed the
  //           check too.
  // Errors:   those of CheckedThreads::Start.
  static absl::StatusOr<std::unique_ptr<ComputeWorkers>> Start(
      std::size_t count, RequestQueue& queue, const Clock& clock, AnswerDelivery& delivery,
      ExactStage& exact_stage, const ThreadCheck& check);

  // Closes the queue, executes what is left in it, and joins. The calling thread helps, so the
  // queue is emptied even without any worker.
  ~ComputeWorkers();
  ComputeWorkers(const ComputeWorkers&) = delete;
  ComputeWorkers& operator=(const ComputeWorkers&) = delete;

 private:
  ComputeWorkers(RequestQueue& queue, const Clock& clock, ExactStage& exact_stage)
      : queue_(queue), clock_(clock), exact_stage_(exact_stage) {}

  RequestQueue& queue_;
  const Clock& clock_;
  ExactStage& exact_stage_;
  std::unique_ptr<CheckedThreads> threads_;
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_COMPUTE_WORKERS_H_
