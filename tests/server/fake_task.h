// SPDX-License-Identifier: Apache-2.0
// A request without a network, and a clock that stands still.
#ifndef TESTS_SERVER_FAKE_TASK_H_
#define TESTS_SERVER_FAKE_TASK_H_

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "server/classification_task.h"
#include "server/clock.h"

namespace lipserve {

class FakeClock final : public Clock {
 public:
  TimePoint Now() const override { return now_; }
  void Advance(TimePoint::duration duration) { now_ += duration; }

 private:
  TimePoint now_{std::chrono::hours(1)};
};

class FakeTask final : public ClassificationTask {
 public:
  FakeTask(std::shared_ptr<const ServedModel> model, std::vector<float> inputs) {
    images_.num_images = inputs.size() / model->input_size();
    images_.inputs = std::move(inputs);
    model_ = std::move(model);
  }

  bool IsCancelled() const override { return cancelled; }
  void Complete(const absl::Status& new_status, std::span<const Answer> new_answers) override {
    status = new_status;
    answers.assign(new_answers.begin(), new_answers.end());
    if (completed) completed();
  }
  void SetPrecision(RadiusPrecision precision) { images_.precision = precision; }
  void SetPriority(int priority) { images_.priority = priority; }
  void SetTimes(Clock::TimePoint arrival, Clock::TimePoint deadline) {
    arrival_ = arrival;
    deadline_ = deadline;
  }

  bool cancelled = false;
  std::function<void()> completed;     // called by Complete
  std::optional<absl::Status> status;  // set once completed
  std::vector<Answer> answers;
};

}  // namespace lipserve

#endif  // TESTS_SERVER_FAKE_TASK_H_
