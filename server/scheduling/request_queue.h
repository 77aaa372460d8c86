// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_REQUEST_QUEUE_H_
#define SERVER_SCHEDULING_REQUEST_QUEUE_H_

#include <chrono>
#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "model/foundation/mutex.h"
#include "server/operations/metrics.h"
#include "server/scheduling/classification_task.h"
#include "server/scheduling/priority_lane.h"

namespace lipserve {

// Who looks after a task that was taken in.
enum class ComputedBy {
  kWorker,  // a waiting worker is woken for it
  kCaller,  // nobody is woken: the caller is about to call TakeQuickBatch
};

// Bounded queues of requests, one for each model, that hand out batches without delay: a batch is
// what is queued of one model when a worker is free, so it grows with the load, up to the model's
// limit, and costs nothing without.
//
// Models take turns, and each has room of its own, so that a busy one can neither starve nor crowd
// out another, whatever priority its requests have; those of one model are taken as PriorityLane
// says. A request is never split: one larger than a batch is a batch of its own, and one larger
// than its model's queue is taken in when nothing else waits there. Background requests may fill
// half of the queue, so that they never crowd out the others.
//
// Units:   sizes are in images.
// Threads: all functions are safe to call from any thread. Tasks are borrowed, and belong to the
//          queue from Admit to TakeBatch.
class RequestQueue {
 public:
  // `capacity_images`: of each model; ServedModel::queue_capacity() may say less.
  //
  // Requires: metrics outlive the queue.
  RequestQueue(std::size_t capacity_images, Metrics& metrics)
      : capacity_images_(capacity_images), metrics_(metrics) {}
  ~RequestQueue();
  RequestQueue(const RequestQueue&) = delete;
  RequestQueue& operator=(const RequestQueue&) = delete;

  // What Admit would say to a request of so many images and usual priority: asked before anything
  // is spent on one that will be refused.
  //
  // Errors: those of Admit.
  absl::Status CheckCapacity(const ServedModel& model, std::size_t images) const;

  // Takes the task in.
  //
  // Errors: ResourceExhausted if it does not fit; Unavailable once the queue is closed. The task
  //         is then still the caller's.
  absl::Status Admit(ClassificationTask& task, ComputedBy computed_by);

  // Waits for work and moves it into `batch`, which is cleared first. Call BatchDone when it is
  // done. Returns false, with an empty batch, once the queue is closed and nothing is left.
  bool TakeBatch(std::vector<ClassificationTask*>& batch);

  // For a thread that can compute a little between other duties, which saves the context switches
  // to a worker and back: moves the next batch that is expected to take no longer than `budget`
  // into `batch`, which is cleared first. Call BatchDone when it is done. If the rest is expected
  // to take longer than `share_above`, it wakes a worker to share in it. Where there is no such
  // batch it returns false and leaves what is queued to the workers, which it wakes.
  bool TakeQuickBatch(std::chrono::nanoseconds budget, std::chrono::nanoseconds share_above,
                      std::vector<ClassificationTask*>& batch);

  // Ends a batch from TakeBatch or TakeQuickBatch.
  void BatchDone();

  // Refuses new tasks; those already queued are still handed out.
  void Close();

  // Waits until nothing is queued and nobody computes. Requires: Close was called.
  void WaitUntilIdle();

  // Whether nothing is queued and nobody computes.
  bool IsIdle() const;

  // How long one thread is expected to take for what is queued of `model`, and for other models'
  // turns in between.
  std::chrono::nanoseconds ExpectedWait(const ServedModel& model) const;

  std::size_t queued_images() const;

 private:
  struct Lane {
    const ServedModel* model;
    PriorityLane tasks;
    std::size_t images;
  };

  absl::Status CheckCapacityLocked(const ServedModel& model, std::size_t images,
                                   bool is_background) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsIdleLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return lanes_.empty() && running_batches_ == 0;
  }
  std::chrono::nanoseconds ExpectedQueueTime() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Append(ClassificationTask& task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountQueued(const ServedModel& model, std::ptrdiff_t images)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PopBatch(std::vector<Lane>::iterator lane, std::vector<ClassificationTask*>& batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::size_t capacity_images_;
  Metrics& metrics_;

  mutable Mutex mutex_;
  CondVar work_arrived_;
  CondVar became_idle_;
  // Models with queued tasks, the next to be served first. Few, so that a vector is fastest.
  std::vector<Lane> lanes_ ABSL_GUARDED_BY(mutex_);
  std::size_t queued_images_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t running_batches_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t waiting_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_REQUEST_QUEUE_H_
