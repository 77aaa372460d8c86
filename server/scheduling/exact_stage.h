// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_EXACT_STAGE_H_
#define SERVER_SCHEDULING_EXACT_STAGE_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "model/certified_model.h"
#include "server/operations/checked_threads.h"
#include "server/operations/clock.h"
#include "server/operations/metrics.h"
#include "server/scheduling/classification_task.h"
#include "server/scheduling/request_queue.h"

namespace lipserve {

// Decides the images that floating point cannot, in integers, on a thread of its own. Whoever sends
// an image may choose one that takes some hundred times longer than others. So such images have a
// queue of their own, bounded like the others, and a share of the CPU that they cannot exceed.
// Models take turns there, and so do calls of one model: a call of many images goes on after the
// others.
//
//   ExactStage stage(capacity_images, metrics, clock);
//   LIPSERVE_RETURN_IF_ERROR(stage.StartThread(check));
//   stage.Submit(task, answers);  // leads to exactly one task.Complete
//
// Threads: all functions but StartThread and Finish are safe to call from any thread.
class ExactStage {
 public:
  // `capacity_images` is the capacity of each model's queue, as in RequestQueue.
  //
  // Requires: metrics and clock outlive the stage.
  ExactStage(std::size_t capacity_images, Metrics& metrics, const Clock& clock);
  ~ExactStage() { Finish(); }
  ExactStage(const ExactStage&) = delete;
  ExactStage& operator=(const ExactStage&) = delete;

  // Starts the thread, once it has passed `check`. It runs at a lower priority than the workers.
  //
  // Requires: the thread that calls Finish has passed the check too.
  // Errors:   those of CheckedThreads::Start.
  absl::Status StartThread(const ThreadCheck& check);

  // Takes over a task with its answers by floating point, some of which are undecided. Completes it
  // with all answers; with DeadlineExceeded or Cancelled once that is the case, which is looked at
  // several times for each image; with the queue's error and a retry delay if it does not fit.
  void Submit(ClassificationTask& task, std::span<const Answer> answers);

  // Refuses new tasks, and completes the ones that it has: those that take longer than 5 s with
  // UNAVAILABLE. The calling thread helps.
  void Finish();

  // Whether nothing waits and nothing is computed.
  bool IsIdle() const { return queue_.IsIdle(); }

 private:
  void DecideUntilClosed();
  // Goes on with the task for a turn. False if images are left for the next one; otherwise the task
  // is completed.
  bool Decide(ClassificationTask& task);

  const Clock& clock_;
  std::atomic<Clock::TimePoint> finish_by_{Clock::TimePoint::max()};
  RequestQueue queue_;
  std::unique_ptr<CheckedThreads> thread_;
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_EXACT_STAGE_H_
