// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/batch_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/server/fake_task.h"
#include "tests/server/small_model.h"

namespace lipserve {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BatchExecutorTest : public ::testing::Test {
 protected:
  FakeTask NewTask(std::uint64_t seed, std::size_t images) {
    FakeTask task(served_.model, RandomInputs(seed, images));
    task.SetTimes(clock_.Now(), Clock::TimePoint::max());
    return task;
  }

  FakeTask NewTask(std::uint64_t seed, std::size_t images, RadiusPrecision precision) {
    FakeTask task = NewTask(seed, images);
    task.SetPrecision(precision);
    return task;
  }

  SmallServedModel served_;
  FakeClock clock_;
  PromptDelivery delivery_;
  Metrics metrics_{BuildInfo{}};
  ExactStage exact_stage_{100, metrics_, clock_};
  BatchExecutor executor_{clock_, delivery_, exact_stage_};
};

TEST_F(BatchExecutorTest, GivesEachTaskOfABatchItsOwnAnswers) {
  FakeTask a = NewTask(1, 1);
  FakeTask b = NewTask(2, 3);
  FakeTask c = NewTask(3, 2);
  const std::vector<ClassificationTask*> batch = {&a, &b, &c};
  executor_.Execute(batch);
  for (const FakeTask* task : {&a, &b, &c}) ExpectOwnAnswers(*task);
}

TEST_F(BatchExecutorTest, ComputesEachTaskOfABatchInItsOwnPrecision) {
  FakeTask a = NewTask(1, 2, RadiusPrecision::kFast);
  FakeTask b = NewTask(2, 1, RadiusPrecision::kTight);
  FakeTask c = NewTask(3, 3, RadiusPrecision::kFast);
  FakeTask d = NewTask(2, 1, RadiusPrecision::kFast);  // the images of b
  const std::vector<ClassificationTask*> batch = {&a, &b, &c, &d};
  executor_.Execute(batch);
  for (const FakeTask* task : {&a, &b, &c, &d}) ExpectOwnAnswers(*task);
  EXPECT_LT(d.answers[0].radius_l2, b.answers[0].radius_l2);
  EXPECT_THAT(served_.metrics->Text(),
              AllOf(HasSubstr("lipserve_batch_size_count{model=\"small\",version=\"1\"} 2\n"),
                    HasSubstr("lipserve_batch_size_sum{model=\"small\",version=\"1\"} 7\n")));
}

TEST_F(BatchExecutorTest, CompletesTasksInTheirOrderAndTheOldestPrecisionFirst) {
  std::vector<const FakeTask*> completed;
  std::vector<FakeTask> tasks;
  for (const RadiusPrecision precision :
       {RadiusPrecision::kFast, RadiusPrecision::kTight, RadiusPrecision::kFast,
        RadiusPrecision::kTight, RadiusPrecision::kFast}) {
    tasks.push_back(NewTask(1, 1, precision));
  }
  std::vector<ClassificationTask*> batch;
  for (FakeTask& task : tasks) {
    task.completed = [&completed, &task] { completed.push_back(&task); };
    batch.push_back(&task);
  }
  executor_.Execute(batch);
  EXPECT_THAT(completed, ElementsAre(&tasks[0], &tasks[2], &tasks[4], &tasks[1], &tasks[3]));
}

TEST_F(BatchExecutorTest, ASecondBatchOwesNothingToTheFirst) {
  FakeTask large = NewTask(1, 6);
  FakeTask small = NewTask(2, 1);
  const std::vector<ClassificationTask*> first = {&large};
  const std::vector<ClassificationTask*> second = {&small};
  executor_.Execute(first);
  executor_.Execute(second);
  ExpectOwnAnswers(small);
}

TEST_F(BatchExecutorTest, DropsWhatExpiredInTheQueueWithoutComputingIt) {
  FakeTask late = NewTask(1, 1);
  late.SetTimes(clock_.Now(), clock_.Now() + milliseconds(5));
  clock_.Advance(milliseconds(5));  // the deadline itself is too late
  const std::vector<ClassificationTask*> batch = {&late};
  executor_.Execute(batch);
  EXPECT_TRUE(absl::IsDeadlineExceeded(*late.status));
  EXPECT_THAT(std::string(late.status->message()), HasSubstr("queued for 5 ms"));
  EXPECT_THAT(served_.metrics->Text(),
              HasSubstr("lipserve_batch_size_count{model=\"small\",version=\"1\"} 0"));
}

TEST_F(BatchExecutorTest, ComputesWhatHasAMomentLeft) {
  FakeTask task = NewTask(1, 1);
  task.SetTimes(clock_.Now(), clock_.Now() + milliseconds(5));
  clock_.Advance(milliseconds(4));
  const std::vector<ClassificationTask*> batch = {&task};
  executor_.Execute(batch);
  ExpectOwnAnswers(task);
}

TEST_F(BatchExecutorTest, DropsTheCancelledAndComputesTheirNeighbours) {
  FakeTask a = NewTask(1, 2);
  FakeTask gone = NewTask(2, 2);
  FakeTask c = NewTask(3, 1);
  gone.cancelled = true;
  const std::vector<ClassificationTask*> batch = {&a, &gone, &c};
  executor_.Execute(batch);
  EXPECT_TRUE(absl::IsCancelled(*gone.status));
  EXPECT_TRUE(gone.answers.empty());
  ExpectOwnAnswers(a);
  ExpectOwnAnswers(c);
  EXPECT_THAT(served_.metrics->Text(),
              HasSubstr("lipserve_batch_size_sum{model=\"small\",version=\"1\"} 3"));
}

TEST_F(BatchExecutorTest, CountsEveryImageAsCertifiedOrAbstained) {
  FakeTask task = NewTask(1, 5);
  const std::vector<ClassificationTask*> batch = {&task};
  executor_.Execute(batch);
  EXPECT_THAT(served_.metrics->Text(),
              HasSubstr("lipserve_certified_radius_count{model=\"small\",version=\"1\"} 5"));
}

}  // namespace
}  // namespace lipserve
