// SPDX-License-Identifier: Apache-2.0
// A request without a network, and a clock that stands still.
#ifndef TESTS_SERVER_FAKE_TASK_H_
#define TESTS_SERVER_FAKE_TASK_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "server/operations/clock.h"
#include "server/scheduling/classification_task.h"

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
    decoded_ = arrival;
    deadline_ = deadline;
  }

  bool cancelled = false;
  std::function<void()> completed;     // called by Complete
  std::optional<absl::Status> status;  // set once completed
  std::vector<Answer> answers;
};

// That the task has got what its model says of its images, without any server around it.
inline void ExpectOwnAnswers(const FakeTask& task) {
  ASSERT_TRUE(task.status.has_value());
  ASSERT_TRUE(task.status->ok());
  const CertifiedModel& certified = task.model()->certified();
  std::vector<Answer> expected(task.images().num_images);
  certified.Classify(task.inputs(), *certified.NewWorker(), expected, task.images().precision);
  ASSERT_EQ(task.answers.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(task.answers[i].class_index, expected[i].class_index);
    EXPECT_EQ(task.answers[i].scores, expected[i].scores);
    EXPECT_EQ(task.answers[i].radius_l2, expected[i].radius_l2);
  }
}

}  // namespace lipserve

#endif  // TESTS_SERVER_FAKE_TASK_H_
