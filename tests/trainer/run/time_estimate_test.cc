// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/time_estimate.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "tests/trainer/silent_observer.h"
#include "tests/trainer/tiny_experiment.h"

namespace lipserve::trainer {
namespace {

// A run whose every array matters: moments, slow weights, averages, a running mean, power
// iterations.
class TimeEstimateTest : public ::testing::Test {
 protected:
  TimeEstimateTest() {
    WriteTinyDataset(folder_.path("data"));
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(TinyRecipeText(), &recipe_));
    EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(
        R"(optimizer { weight_average_decay: 0.9 lookahead {}
                       learning_rate_schedule { linear { from: 1 } } }
           selection { metric: "val_accuracy" goal: SELECTION_GOAL_HIGHEST }
           augmentation { shift { pixels: 1 } })",
        &recipe_));
    dataset_ = std::make_unique<Dataset>(*LoadDataset(recipe_.dataset(), folder_.path("data")));
    loop_ = *TrainingLoop::Create(recipe_, *dataset_);
  }

  std::vector<std::vector<float>> Arrays() {
    std::vector<std::vector<float>> arrays;
    for (const NamedArrayReference& array : loop_->Arrays()) arrays.push_back(*array.values);
    return arrays;
  }

  TemporaryFolder folder_;
  v1::Recipe recipe_;
  std::unique_ptr<Dataset> dataset_;
  std::unique_ptr<TrainingLoop> loop_;
};

// A clock that moves by a fixed time whenever it is looked at.
Clock Ticking(std::chrono::milliseconds step) {
  auto now = std::make_shared<std::chrono::steady_clock::time_point>();
  return [now, step] { return *now += step; };
}

TEST_F(TimeEstimateTest, AddsStepsAndValidationOfAllEpochs) {
  const TimeEstimate estimate = EstimateTime(*loop_, Ticking(std::chrono::milliseconds(5)));
  // 600 and 100 samples in batches of 32: 19 and 4, 5 ms each, 3 epochs.
  EXPECT_EQ(estimate.epochs_left, 3);
  EXPECT_EQ(estimate.steps_per_epoch, 19);
  EXPECT_DOUBLE_EQ(estimate.step_seconds, 0.005);
  EXPECT_DOUBLE_EQ(estimate.epoch_seconds, 23 * 0.005);
  EXPECT_DOUBLE_EQ(estimate.training_seconds, 3 * 23 * 0.005);
}

TEST_F(TimeEstimateTest, LeavesNoTraceInTheRun) {
  const std::vector<std::vector<float>> before = Arrays();
  EstimateTime(*loop_, Ticking(std::chrono::milliseconds(5)));
  EXPECT_EQ(Arrays(), before);
  EXPECT_EQ(loop_->optimizer().steps, 0);
  EXPECT_TRUE(loop_->history().empty());
  // Nor in what is not an array: the same epochs follow.
  SilentObserver observer;
  const auto fresh = *TrainingLoop::Create(recipe_, *dataset_);
  for (int epoch = 0; epoch < 2; ++epoch) {
    EstimateTime(*loop_, Ticking(std::chrono::milliseconds(5)));
    ASSERT_TRUE(loop_->RunEpoch(observer).ok());
    ASSERT_TRUE(fresh->RunEpoch(observer).ok());
  }
  const std::vector<NamedArrayReference> expected = fresh->Arrays();
  const std::vector<NamedArrayReference> arrays = loop_->Arrays();
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    EXPECT_EQ(*arrays[i].values, *expected[i].values) << arrays[i].name;
  }
}

TEST_F(TimeEstimateTest, RehearsesATinyShareOfALongTraining) {
  int steps = 0;
  loop_->ProfileSteps(1000, [&steps] { ++steps; });
  EXPECT_EQ(steps, loop_->steps_per_epoch());  // no more than there are
  // Of 3 x 19 steps a fiftieth is one: only the first two are run.
  int looks = 0;
  const Clock counting = [&looks] {
    return std::chrono::steady_clock::time_point(std::chrono::milliseconds(++looks));
  };
  EstimateTime(*loop_, counting);
  EXPECT_EQ(looks, 1 + 2 + 1 + 3);
}

TEST(DescribeTimeEstimateTest, TakesTheUnitThatPeopleRead) {
  TimeEstimate estimate{.epochs_left = 20,
                        .steps_per_epoch = 372,
                        .step_seconds = 0.1394,
                        .epoch_seconds = 54.2,
                        .training_seconds = 1084.0};
  EXPECT_EQ(DescribeTimeEstimate(estimate),
            "about 18 min: 20 epochs of 54 s, each of 372 steps of 139 ms and validation");
  estimate.training_seconds = 11400.0;
  EXPECT_EQ(DescribeTimeEstimate(estimate).substr(0, 19), "about 3 h 10 min: 2");
  estimate.training_seconds = 0.512;
  EXPECT_EQ(DescribeTimeEstimate(estimate).substr(0, 13), "about 0.51 s:");
}

TEST(SlowThreadsWarningTest, NamesBothTimesAndTheWayOut) {
  EXPECT_EQ(SlowThreadsWarning({.epoch_seconds = 54.2}, 2, {.epoch_seconds = 46.4}),
            "warning: threads: an epoch takes 54 s with 2, 46 s with one: leave --threads at 1; "
            "beside other programs, OMP_WAIT_POLICY=passive in the environment keeps threads from "
            "waiting busily");
}

}  // namespace
}  // namespace lipserve::trainer
