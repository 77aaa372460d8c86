// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/quick_compute.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "tests/server/fake_task.h"
#include "tests/server/small_model.h"

namespace lipserve {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Requests of one image for a model that computes images one by one; each takes `time` of the
// clock.
class QuickComputeTest : public ::testing::Test {
 protected:
  QuickComputeTest() { served_.model->SetBatchLimit(1); }
  ~QuickComputeTest() override {
    queue_.Close();
    std::vector<ClassificationTask*> batch;
    while (queue_.TakeBatch(batch)) queue_.BatchDone();
  }

  void Queue(std::size_t count, nanoseconds time) {
    for (std::size_t i = 0; i < count; ++i) {
      tasks_.push_back(std::make_unique<FakeTask>(served_.model, RandomInputs(1, 1)));
      tasks_.back()->SetTimes(clock_.Now(), Clock::TimePoint::max());
      tasks_.back()->completed = [this, time] { clock_.Advance(time); };
      ASSERT_TRUE(queue_.Admit(*tasks_.back(), ComputedBy::kCaller).ok());
    }
  }

  static constexpr milliseconds kBudget{100};  // far above what the small model takes

  SmallServedModel served_;
  FakeClock clock_;
  Metrics metrics_{BuildInfo{}};
  RequestQueue queue_{100, metrics_};
  PromptDelivery delivery_;
  ExactStage exact_stage_{100, metrics_, clock_};
  QuickCompute compute_{queue_, kBudget, clock_, delivery_, exact_stage_};
  std::vector<std::unique_ptr<FakeTask>> tasks_;
};

TEST_F(QuickComputeTest, AnswersAllThatIsQueuedWhileItIsQuick) {
  Queue(20, nanoseconds(1));
  EXPECT_EQ(compute_.Run(), 20U);
  for (const auto& task : tasks_) EXPECT_TRUE(task->status.value().ok());
  EXPECT_EQ(compute_.Run(), 0U);
}

TEST_F(QuickComputeTest, LeavesTheRestAfterFiveBudgets) {
  Queue(20, kBudget);
  EXPECT_EQ(compute_.Run(), static_cast<std::size_t>(QuickCompute::kMaxBudgetsPerRun));
  EXPECT_EQ(queue_.queued_images(), 15U);
}

TEST_F(QuickComputeTest, TakesNothingThatIsExpectedToTakeLongerThanTheBudget) {
  QuickCompute no_time(queue_, nanoseconds(0), clock_, delivery_, exact_stage_);
  Queue(1, nanoseconds(1));
  EXPECT_EQ(no_time.Run(), 0U);
  EXPECT_EQ(queue_.queued_images(), 1U);
}

}  // namespace
}  // namespace lipserve
