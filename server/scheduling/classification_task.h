// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_CLASSIFICATION_TASK_H_
#define SERVER_SCHEDULING_CLASSIFICATION_TASK_H_

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "model/certified_model.h"
#include "server/operations/clock.h"
#include "server/repository/served_model.h"
#include "server/scheduling/decoded_images.h"

namespace lipserve {

// One decoded request on its way through queue and workers, of any protocol.
//
// Flow:    Prepare -> RequestQueue::Admit -> BatchExecutor::Execute [-> ExactStage] -> Complete.
// Threads: one thread owns the task at a time; the queue passes it on.
class ClassificationTask {
 public:
  virtual ~ClassificationTask() = default;

  // Whether the client has cancelled, so that nobody would read the answer.
  virtual bool IsCancelled() const = 0;

  // Takes the answers, one per image, or the error. Called exactly once. The task may be reused as
  // soon as this returns.
  virtual void Complete(const absl::Status& status, std::span<const Answer> answers) = 0;

  const std::shared_ptr<const ServedModel>& model() const { return model_; }
  const DecodedImages& images() const { return images_; }
  ConstMatrixView inputs() const {
    return {images_.inputs.data(), images_.num_images, model_->input_size()};
  }
  Clock::TimePoint arrival() const { return arrival_; }
  Clock::TimePoint decoded() const { return decoded_; }
  Clock::TimePoint deadline() const { return deadline_; }

  // Records that the task was computed from `start` to `end` in a batch of so many images. Called
  // before Complete.
  void SetComputed(std::size_t batch_images, Clock::TimePoint start, Clock::TimePoint end) {
    batch_images_ = batch_images;
    computing_start_ = start;
    computed_ = end;
  }
  std::size_t batch_images() const { return batch_images_; }
  Clock::TimePoint computing_start() const { return computing_start_; }

 protected:
  // The state of one request; a pooled task is reused for the next.
  std::shared_ptr<const ServedModel> model_;
  DecodedImages images_;
  Clock::TimePoint arrival_;
  Clock::TimePoint decoded_;
  Clock::TimePoint computing_start_;
  Clock::TimePoint computed_;
  std::size_t batch_images_ = 0;
  Clock::TimePoint deadline_ = Clock::TimePoint::max();

 private:
  friend class ExactStage;
  friend class PriorityLane;
  std::vector<Answer> partial_answers_;         // of a task in the exact stage
  ClassificationTask* next_in_lane_ = nullptr;  // the queue allocates nothing per task
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_CLASSIFICATION_TASK_H_
