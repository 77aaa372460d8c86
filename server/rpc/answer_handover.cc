// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/answer_handover.h"

#include <grpc/support/time.h>

#include <utility>

namespace lipserve {

void AnswerHandover::Deliver(std::span<ClassificationTask* const> tasks,
                             std::vector<Answer>& answers) {
  if (tasks.size() == 1) {
    tasks.front()->Complete(absl::OkStatus(),
                            std::span(answers).first(tasks.front()->images().num_images));
    return;
  }
  MutexLock lock(mutex_);
  std::unique_ptr<Batch> batch = SpareBatch();
  batch->tasks.assign(tasks.begin(), tasks.end());
  batch->answers.swap(answers);
  waiting_.push_back(std::move(batch));
  if (std::exchange(wake_pending_, true)) return;
  alarm_.Set(&queue_, gpr_time_0(GPR_CLOCK_MONOTONIC), &wake_event_);
}

void AnswerHandover::Drain(PromptDelivery& delivery) {
  std::vector<std::unique_ptr<Batch>> batches;
  {
    MutexLock lock(mutex_);
    batches.swap(waiting_);
  }
  if (batches.empty()) return;
  for (const auto& batch : batches) delivery.Deliver(batch->tasks, batch->answers);
  MutexLock lock(mutex_);
  for (auto& batch : batches) spare_.push_back(std::move(batch));
}

void AnswerHandover::OnWake(bool /*ok*/) {
  MutexLock lock(mutex_);
  wake_pending_ = false;
}

std::unique_ptr<AnswerHandover::Batch> AnswerHandover::SpareBatch() {
  if (spare_.empty()) return std::make_unique<Batch>();
  std::unique_ptr<Batch> batch = std::move(spare_.back());
  spare_.pop_back();
  return batch;
}

}  // namespace lipserve
