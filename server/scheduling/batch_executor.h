// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_BATCH_EXECUTOR_H_
#define SERVER_SCHEDULING_BATCH_EXECUTOR_H_

#include <cstddef>
#include <span>
#include <vector>

#include "model/certified_model.h"
#include "server/operations/clock.h"
#include "server/scheduling/answer_delivery.h"
#include "server/scheduling/classification_task.h"
#include "server/scheduling/exact_stage.h"

namespace lipserve {

// Computes batches of tasks.
//
//   BatchExecutor executor(clock, delivery, exact_stage);
//   while (queue.TakeBatch(batch)) {
//     executor.Execute(batch);
//     queue.BatchDone();
//   }
//
// Completes tasks that are cancelled or past their deadline without computing them. Gathers the
// inputs of the rest into one matrix, classifies it, and completes each task with its own answers.
// Tasks with images that floating point cannot decide go on to the exact stage, so that a batch
// takes a time that depends on its size only.
// Tasks of different precision are computed separately, those of the oldest task's precision first.
//
// Threads: one at a time, with an OpenMP team of one thread. The executor keeps buffers.
class BatchExecutor {
 public:
  // Requires: clock, delivery and exact_stage outlive the executor.
  BatchExecutor(const Clock& clock, AnswerDelivery& delivery, ExactStage& exact_stage)
      : clock_(clock), delivery_(delivery), exact_stage_(exact_stage) {}

  // Completes every task of `batch`: with Cancelled if its client has cancelled, with
  // DeadlineExceeded if its deadline has passed, otherwise with its answers, through the delivery.
  // For the first two, nothing is computed. Tasks of one precision are delivered in their order.
  //
  // Requires: all tasks are of the same model.
  void Execute(std::span<ClassificationTask* const> batch);

 private:
  // Completes the cancelled and overdue tasks of `batch`, and puts the others into live_.
  void Expire(std::span<ClassificationTask* const> batch);
  // Computes and completes tasks of one model and one precision.
  void ExecuteSamePrecision(std::span<ClassificationTask* const> tasks);
  // Counts the batch before its answers are delivered, so that no client misses its own request.
  static void RecordBatch(std::span<ClassificationTask* const> tasks,
                          std::span<const Answer> answers, Clock::TimePoint start,
                          Clock::TimePoint end);
  ConstMatrixView Gather(std::span<ClassificationTask* const> tasks);
  // Submits the tasks with undecided answers to the exact stage. Moves the others to decided_, and
  // their answers to the front of answers_. Returns the number of these answers.
  std::size_t SubmitUndecided(std::span<ClassificationTask* const> tasks);

  const Clock& clock_;
  AnswerDelivery& delivery_;
  ExactStage& exact_stage_;
  std::vector<ClassificationTask*> live_;
  std::vector<ClassificationTask*> decided_;
  std::vector<float> gathered_;
  std::vector<Answer>
      answers_;  // never shrinks, so that each answer keeps the memory of its scores
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_BATCH_EXECUTOR_H_
