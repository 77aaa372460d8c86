// SPDX-License-Identifier: Apache-2.0
#include "server/request_queue.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"

namespace lipserve {

RequestQueue::~RequestQueue() {
  MutexLock lock(mutex_);
  assert(lanes_.empty() && running_batches_ == 0);
}

absl::Status RequestQueue::Admit(ClassificationTask& task, Attendant attendant) {
  const std::size_t images = task.images().num_images;
  MutexLock lock(mutex_);
  if (closed_) {
    return absl::UnavailableError("the server is draining; try another instance");
  }
  if (images > limits_.capacity_images - queued_images_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the queue is full: ", queued_images_, " of ", limits_.capacity_images,
                     " images wait and this call brings ", images, "; retry later"));
  }
  Append(task);
  queued_images_ += images;
  metrics_.AddQueueDepth(static_cast<std::ptrdiff_t>(images));
  if (attendant == Attendant::kWorker && waiting_workers_ > 0) work_arrived_.NotifyOne();
  return absl::OkStatus();
}

void RequestQueue::Append(ClassificationTask& task) {
  task.next_in_lane_ = nullptr;
  const ServedModel* const model = task.model().get();
  const auto lane = std::find_if(lanes_.begin(), lanes_.end(), [model](const Lane& candidate) {
    return candidate.model == model;
  });
  if (lane == lanes_.end()) {
    lanes_.push_back({model, &task, &task});
  } else {
    lane->last->next_in_lane_ = &task;
    lane->last = &task;
  }
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
                                  std::vector<ClassificationTask*>& batch) {
  batch.clear();
  MutexLock lock(mutex_);
  auto quick = lanes_.begin();
  while (quick != lanes_.end() && quick->model->ExpectedTime(ImagesOfNextBatch(*quick)) > budget) {
    ++quick;
  }
  if (quick != lanes_.end()) {
    PopBatch(quick, batch);
    return true;
  }
  if (!lanes_.empty() && waiting_workers_ > 0) work_arrived_.NotifyAll();
  return false;
}

std::size_t RequestQueue::ImagesOfNextBatch(const Lane& lane) const {
  std::size_t images = lane.first->images().num_images;
  for (const ClassificationTask* task = lane.first->next_in_lane_; task != nullptr;
       task = task->next_in_lane_) {
    const std::size_t more = task->images().num_images;
    if (images + more > limits_.max_batch_images) break;
    images += more;
  }
  return images;
}

void RequestQueue::PopBatch(std::vector<Lane>::iterator which,
                            std::vector<ClassificationTask*>& batch) {
  Lane lane = *which;
  const std::size_t images = ImagesOfNextBatch(lane);
  lanes_.erase(which);
  for (std::size_t taken = 0; taken < images; taken += batch.back()->images().num_images) {
    batch.push_back(lane.first);
    lane.first = lane.first->next_in_lane_;
  }
  if (lane.first != nullptr) lanes_.push_back(lane);
  ++running_batches_;
  queued_images_ -= images;
  metrics_.AddQueueDepth(-static_cast<std::ptrdiff_t>(images));
}

void RequestQueue::BatchDone() {
  MutexLock lock(mutex_);
  assert(running_batches_ > 0);
  --running_batches_;
  if (running_batches_ == 0 && lanes_.empty()) became_idle_.NotifyAll();
}

void RequestQueue::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  work_arrived_.NotifyAll();
}

void RequestQueue::WaitUntilIdle() {
  MutexLock lock(mutex_);
  assert(closed_);
  while (!lanes_.empty() || running_batches_ > 0) became_idle_.Wait(mutex_);
}

std::size_t RequestQueue::queued_images() const {
  MutexLock lock(mutex_);
  return queued_images_;
}

}  // namespace lipserve
