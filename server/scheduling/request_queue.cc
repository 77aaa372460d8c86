// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/request_queue.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"

namespace lipserve {

RequestQueue::~RequestQueue() {
  MutexLock lock(mutex_);
  assert(lanes_.empty() && running_batches_ == 0);
}

absl::Status RequestQueue::CheckCapacityLocked(const ServedModel& model, std::size_t images,
                                               bool is_background) const {
  if (closed_) {
    return absl::UnavailableError("the server is draining; try another instance");
  }
  const auto lane = std::find_if(lanes_.begin(), lanes_.end(), [&model](const Lane& candidate) {
    return candidate.model == &model;
  });
  if (lane == lanes_.end() && images <= capacity_images_) return absl::OkStatus();
  const std::size_t queued = lane == lanes_.end() ? 0 : lane->images;
  const std::size_t capacity =
      std::min(capacity_images_, model.queue_capacity()) / (is_background ? 2 : 1);
  if (queued + images <= capacity) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "the queue of ", stage_ == Stage::kExact ? "the exact stage for " : "", "model ",
      model.name(), " is full", is_background ? " for requests of low priority" : "", ": ", queued,
      " of ", capacity, " images wait and this call brings ", images, "; retry later"));
}

absl::Status RequestQueue::CheckCapacity(const ServedModel& model, std::size_t images) const {
  MutexLock lock(mutex_);
  return CheckCapacityLocked(model, images, /*is_background=*/false);
}

absl::Status RequestQueue::Admit(ClassificationTask& task, ComputedBy computed_by) {
  const std::size_t images = task.images().num_images;
  MutexLock lock(mutex_);
  LIPSERVE_RETURN_IF_ERROR(
      CheckCapacityLocked(*task.model(), images, IsBackground(task.images().priority)));
  Append(task);
  CountQueued(*task.model(), static_cast<std::ptrdiff_t>(images));
  if (computed_by == ComputedBy::kWorker && waiting_workers_ > 0) work_arrived_.NotifyOne();
  return absl::OkStatus();
}

void RequestQueue::Append(ClassificationTask& task) {
  const ServedModel* const model = task.model().get();
  auto lane = std::find_if(lanes_.begin(), lanes_.end(),
                           [model](const Lane& candidate) { return candidate.model == model; });
  if (lane == lanes_.end()) lane = lanes_.insert(lane, {model, PriorityLane(), 0});
  lane->tasks.Append(task);
  lane->images += task.images().num_images;
}

void RequestQueue::CountQueued(const ServedModel& model, std::ptrdiff_t images) {
  queued_images_ += static_cast<std::size_t>(images);
  metrics_.AddQueueDepth(images);
  model.metrics().AddQueueDepth(images);
}

bool RequestQueue::TakeBatch(std::vector<ClassificationTask*>& batch) {
  batch.clear();
  MutexLock lock(mutex_);
  while (lanes_.empty() && !closed_) {
    ++waiting_workers_;
    work_arrived_.Wait(mutex_);
    --waiting_workers_;
  }
  if (lanes_.empty()) return false;
  PopBatch(lanes_.begin(), batch);
  return true;
}

bool RequestQueue::TakeQuickBatch(std::chrono::nanoseconds budget,
                                  std::chrono::nanoseconds share_above,
                                  std::vector<ClassificationTask*>& batch) {
  batch.clear();
  MutexLock lock(mutex_);
  const auto is_quick = [this, budget](const Lane& lane) {
    const std::size_t images = lane.tasks.NextBatchImages(BatchLimit(*lane.model));
    return ExpectedTime(*lane.model, images) <= budget;
  };
  const auto quick = std::find_if(lanes_.begin(), lanes_.end(), is_quick);
  if (quick != lanes_.end()) {
    PopBatch(quick, batch);
    if (waiting_workers_ > 0 && ExpectedQueueTime() > share_above) work_arrived_.NotifyOne();
    return true;
  }
  if (!lanes_.empty() && waiting_workers_ > 0) work_arrived_.NotifyAll();
  return false;
}

void RequestQueue::PopBatch(std::vector<Lane>::iterator which,
                            std::vector<ClassificationTask*>& batch) {
  Lane lane = *which;
  lanes_.erase(which);
  const std::size_t images = lane.tasks.TakeBatch(BatchLimit(*lane.model), batch);
  lane.images -= images;
  if (!lane.tasks.empty()) lanes_.push_back(lane);
  ++running_batches_;
  CountQueued(*batch.front()->model(), -static_cast<std::ptrdiff_t>(images));
}

void RequestQueue::Return(ClassificationTask& task) {
  MutexLock lock(mutex_);
  assert(running_batches_ > 0);
  Append(task);
  CountQueued(*task.model(), static_cast<std::ptrdiff_t>(task.images().num_images));
  if (waiting_workers_ > 0) work_arrived_.NotifyOne();
}

void RequestQueue::BatchDone() {
  MutexLock lock(mutex_);
  assert(running_batches_ > 0);
  --running_batches_;
  if (IsIdleLocked()) became_idle_.NotifyAll();
}

void RequestQueue::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  work_arrived_.NotifyAll();
}

void RequestQueue::WaitUntilIdle() {
  MutexLock lock(mutex_);
  assert(closed_);
  while (!IsIdleLocked()) became_idle_.Wait(mutex_);
}

std::chrono::nanoseconds RequestQueue::ExpectedTime(const ServedModel& model,
                                                    std::size_t images) const {
  return stage_ == Stage::kExact ? model.ExpectedExactTime(images) : model.ExpectedTime(images);
}

std::chrono::nanoseconds RequestQueue::ExpectedQueueTime() const {
  std::chrono::nanoseconds time{0};
  for (const Lane& lane : lanes_) time += ExpectedTime(*lane.model, lane.images);
  return time;
}

bool RequestQueue::IsIdle() const {
  MutexLock lock(mutex_);
  return IsIdleLocked();
}

std::chrono::nanoseconds RequestQueue::ExpectedWait(const ServedModel& model) const {
  MutexLock lock(mutex_);
  const auto own = std::find_if(lanes_.begin(), lanes_.end(),
                                [&model](const Lane& lane) { return lane.model == &model; });
  if (own == lanes_.end()) return std::chrono::nanoseconds(0);
  const std::size_t turns = (own->images - 1) / BatchLimit(model) + 1;
  std::chrono::nanoseconds wait{0};
  for (const Lane& lane : lanes_) {
    const std::size_t images =
        lane.model == &model ? lane.images : std::min(lane.images, turns * BatchLimit(*lane.model));
    wait += ExpectedTime(*lane.model, images);
  }
  return wait;
}

std::size_t RequestQueue::queued_images() const {
  MutexLock lock(mutex_);
  return queued_images_;
}

}  // namespace lipserve
