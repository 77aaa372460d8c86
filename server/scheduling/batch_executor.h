// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_BATCH_EXECUTOR_H_
#define SERVER_SCHEDULING_BATCH_EXECUTOR_H_

#include <span>
#include <vector>

#include "model/certified_model.h"
#include "server/operations/clock.h"
#include "server/scheduling/answer_delivery.h"
#include "server/scheduling/classification_task.h"

namespace lipserve {

// Turns batches of tasks into answers: drops what nobody waits for any more, lays the rest side by
// side, classifies it in one go, and completes each task with its own answers. Tasks of different
// precision cannot be computed together; those of the oldest task's precision come first.
//
// Threads: used by one thread at a time, which has set its OpenMP team to one thread; keeps
// buffers.
class BatchExecutor {
 public:
  // Requires: clock and delivery outlive the executor.
  BatchExecutor(const Clock& clock, AnswerDelivery& delivery)
      : clock_(clock), delivery_(delivery) {}

  // Completes every task of `batch`: Cancelled if its client has gone, DeadlineExceeded if its
  // deadline has passed (nothing is computed for either), else, by way of the delivery, with its
  // answers. Those of tasks of one precision are delivered in the tasks' order.
  //
  // Requires: all tasks are of the same model.
  void Execute(std::span<ClassificationTask* const> batch);

 private:
  void Expire(std::span<ClassificationTask* const> batch);
  // Computes and completes tasks of one model and one precision.
  void ExecuteSamePrecision(std::span<ClassificationTask* const> tasks);
  ConstMatrixView Gather(std::span<ClassificationTask* const> tasks);

  const Clock& clock_;
  AnswerDelivery& delivery_;
  std::vector<ClassificationTask*> live_;
  std::vector<float> gathered_;
  std::vector<Answer> answers_;  // grows only: an answer keeps the capacity of its scores
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_BATCH_EXECUTOR_H_
