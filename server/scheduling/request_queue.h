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

// Which thread will compute an admitted task.
enum class ComputedBy {
  kWorker,  // Admit wakes a waiting worker
  kCaller,  // Admit wakes nobody: the caller will call TakeQuickBatch
};

// Bounded queues of requests, one for each model, with dynamic batching.
//
//   queue.Admit(task, ComputedBy::kWorker);
//   while (queue.TakeBatch(batch)) {
//     executor.Execute(batch);
//     queue.BatchDone();
//   }
//
// A free worker takes what one model has queued, up to the model's batch limit, without waiting for
// more. So batches grow with the load, and a lone request is never delayed.
//
// Models take turns, and each has a queue of its own. So a busy model can neither starve another
// nor fill its queue, whatever the priorities. Within a model, PriorityLane decides the order.
//
// A request is never split. One larger than a batch is a batch of its own. One larger than its
// model's queue is admitted only when nothing else waits there. Background requests may fill half
// of the queue, so they never crowd out the others.
//
// Units:   sizes are in images.
// Threads: all functions are safe to call from any thread. Tasks are borrowed; they belong to the
//          queue from Admit to TakeBatch.
class RequestQueue {
 public:
  // What the tasks wait for. It decides how long they are expected to take, and whether they are
  // computed in batches: in the exact stage, each task is one of its own.
  enum class Stage { kFloatingPoint, kExact };

  // `capacity_images` is the capacity of each model's queue; ServedModel::queue_capacity() may be
  // lower.
  //
  // Requires: metrics outlive the queue.
  RequestQueue(std::size_t capacity_images, Metrics& metrics, Stage stage = Stage::kFloatingPoint)
      : capacity_images_(capacity_images), metrics_(metrics), stage_(stage) {}
  ~RequestQueue();
  RequestQueue(const RequestQueue&) = delete;
  RequestQueue& operator=(const RequestQueue&) = delete;

  // What Admit would return for a request of `images` images and default priority. Call it before
  // decoding a request that would be refused.
  //
  // Errors: those of Admit.
  absl::Status CheckCapacity(const ServedModel& model, std::size_t images) const;

  // Enqueues the task.
  //
  // Errors: ResourceExhausted if it does not fit; Unavailable once the queue is closed. The caller
  //         then still owns the task.
  absl::Status Admit(ClassificationTask& task, ComputedBy computed_by);

  // Waits for tasks, and moves a batch of them into `batch`, which is cleared first. Call BatchDone
  // after computing it. Returns false, with an empty batch, once the queue is closed and empty.
  bool TakeBatch(std::vector<ClassificationTask*>& batch);

  // TakeBatch for a poller, which can compute a little between polls and so save the context
  // switches to a worker and back. Does not wait.
  //
  // Moves the next batch that is expected to take at most `budget` into `batch`, which is cleared
  // first. Call BatchDone after computing it. If the rest is expected to take longer than
  // `share_above`, wakes a worker to share it. If there is no such batch, returns false and wakes
  // the workers for what is queued.
  bool TakeQuickBatch(std::chrono::nanoseconds budget, std::chrono::nanoseconds share_above,
                      std::vector<ClassificationTask*>& batch);

  // Puts a task of a batch that was taken last in its lane, although it was admitted before: for
  // one that takes long, so that others have a turn. Call it before BatchDone.
  void Return(ClassificationTask& task);

  // Marks a batch from TakeBatch or TakeQuickBatch as computed.
  void BatchDone();

  // Refuses new tasks. Queued ones are still handed out.
  void Close();

  // Waits until the queue is idle. Requires: Close was called.
  void WaitUntilIdle();

  // Whether no task is queued and no batch is being computed.
  bool IsIdle() const;

  // Expected time for one thread to compute all queued tasks of `model`, including the turns of
  // other models in between.
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
  std::chrono::nanoseconds ExpectedTime(const ServedModel& model, std::size_t images) const;
  std::size_t BatchLimit(const ServedModel& model) const {
    return stage_ == Stage::kExact ? 1 : model.batch_limit();
  }
  std::chrono::nanoseconds ExpectedQueueTime() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Append(ClassificationTask& task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountQueued(const ServedModel& model, std::ptrdiff_t images)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PopBatch(std::vector<Lane>::iterator lane, std::vector<ClassificationTask*>& batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::size_t capacity_images_;
  Metrics& metrics_;
  const Stage stage_;

  mutable Mutex mutex_;
  CondVar work_arrived_;
  CondVar became_idle_;
  // Models with queued tasks; the first is served next. There are few, so a vector is fastest.
  std::vector<Lane> lanes_ ABSL_GUARDED_BY(mutex_);
  std::size_t queued_images_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t running_batches_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t waiting_workers_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_REQUEST_QUEUE_H_
