// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/request_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/fake_task.h"
#include "tests/server/small_model.h"

namespace lipserve {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// For TakeQuickBatch: however much is left, no worker is woken to share it.
constexpr std::chrono::hours kNoSharing{24};

class RequestQueueTest : public ::testing::Test {
 protected:
  ~RequestQueueTest() override {
    queue_.Close();
    while (queue_.TakeBatch(batch_)) queue_.BatchDone();
  }

  FakeTask& NewTask(std::size_t images, const SmallServedModel& model) {
    return tasks_.emplace_back(model.model, std::vector<float>(images * kSmallInputSize));
  }
  FakeTask& NewTask(std::size_t images = 1) { return NewTask(images, first_); }
  absl::Status Admit(FakeTask& task) { return queue_.Admit(task, ComputedBy::kWorker); }
  void AdmitQueued(FakeTask& task) { ASSERT_TRUE(Admit(task).ok()); }

  SmallServedModel first_{1};
  SmallServedModel second_{2};
  std::deque<FakeTask> tasks_;
  std::vector<ClassificationTask*> batch_;
  Metrics metrics_{BuildInfo{}};
  RequestQueue queue_{10, metrics_};
};

TEST_F(RequestQueueTest, HandsOutWhatIsQueuedInOneBatchInOrder) {
  FakeTask& a = NewTask();
  FakeTask& b = NewTask(2);
  FakeTask& c = NewTask();
  for (FakeTask* task : {&a, &b, &c}) AdmitQueued(*task);
  EXPECT_EQ(queue_.queued_images(), 4U);
  ASSERT_TRUE(queue_.TakeBatch(batch_));
  EXPECT_THAT(batch_, ElementsAre(&a, &b, &c));
  EXPECT_EQ(queue_.queued_images(), 0U);
  queue_.BatchDone();
}

TEST_F(RequestQueueTest, IsIdleWhenNothingIsQueuedAndNobodyComputes) {
  EXPECT_TRUE(queue_.IsIdle());
  AdmitQueued(NewTask());
  EXPECT_FALSE(queue_.IsIdle());
  ASSERT_TRUE(queue_.TakeBatch(batch_));
  EXPECT_FALSE(queue_.IsIdle());
  queue_.BatchDone();
  EXPECT_TRUE(queue_.IsIdle());
}

TEST_F(RequestQueueTest, DoesNotWaitForAFullBatch) {
  FakeTask& task = NewTask();
  AdmitQueued(task);
  ASSERT_TRUE(queue_.TakeBatch(batch_));  // would hang if it did
  EXPECT_THAT(batch_, ElementsAre(&task));
  queue_.BatchDone();
}

TEST_F(RequestQueueTest, NeitherSplitsARequestNorOverfillsABatch) {
  FakeTask& a = NewTask(3);
  FakeTask& b = NewTask(2);
  FakeTask& huge = NewTask(5);  // more than a batch
  for (FakeTask* task : {&a, &b, &huge}) AdmitQueued(*task);
  for (FakeTask* task : {&a, &b, &huge}) {
    ASSERT_TRUE(queue_.TakeBatch(batch_));
    EXPECT_THAT(batch_, ElementsAre(task));
    queue_.BatchDone();
  }
}

TEST_F(RequestQueueTest, AModelsLimitHoldsForItsBatchesAndNoOthers) {
  first_.model->SetBatchLimit(2);
  FakeTask& a1 = NewTask(1, first_);
  FakeTask& a2 = NewTask(1, first_);
  FakeTask& a3 = NewTask(1, first_);
  FakeTask& b1 = NewTask(2, second_);
  FakeTask& b2 = NewTask(2, second_);
  for (FakeTask* task : {&a1, &a2, &a3, &b1, &b2}) AdmitQueued(*task);
  for (const std::vector<FakeTask*>& expected :
       std::vector<std::vector<FakeTask*>>{{&a1, &a2}, {&b1, &b2}, {&a3}}) {
    ASSERT_TRUE(queue_.TakeBatch(batch_));
    EXPECT_THAT(batch_, ElementsAreArray(expected));
    queue_.BatchDone();
  }
}

TEST_F(RequestQueueTest, NeverMixesModelsAndLetsThemTakeTurns) {
  FakeTask& a1 = NewTask(4, first_);
  FakeTask& a2 = NewTask(4, first_);
  FakeTask& b = NewTask(1, second_);
  for (FakeTask* task : {&a1, &a2, &b}) AdmitQueued(*task);
  for (FakeTask* task : {&a1, &b, &a2}) {
    ASSERT_TRUE(queue_.TakeBatch(batch_));
    EXPECT_THAT(batch_, ElementsAre(task));
    queue_.BatchDone();
  }
}

TEST_F(RequestQueueTest, JoinsRequestsOfOneModelAcrossThoseOfAnother) {
  FakeTask& a1 = NewTask(1, first_);
  FakeTask& b = NewTask(1, second_);
  FakeTask& a2 = NewTask(1, first_);
  for (FakeTask* task : {&a1, &b, &a2}) AdmitQueued(*task);
  ASSERT_TRUE(queue_.TakeBatch(batch_));
  EXPECT_THAT(batch_, ElementsAre(&a1, &a2));
  queue_.BatchDone();
}

TEST_F(RequestQueueTest, SaysBeforeWhetherThereIsRoom) {
  AdmitQueued(NewTask(8));
  EXPECT_TRUE(queue_.CheckCapacity(*first_.model, 2).ok());
  EXPECT_EQ(queue_.CheckCapacity(*first_.model, 3), Admit(NewTask(3)));
  EXPECT_EQ(queue_.queued_images(), 8U);
  queue_.Close();
  EXPECT_TRUE(absl::IsUnavailable(queue_.CheckCapacity(*first_.model, 1)));
}

TEST_F(RequestQueueTest, RefusesWhatDoesNotFitAndTakesWhatDoes) {
  AdmitQueued(NewTask(8));
  const absl::Status full = Admit(NewTask(3));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("8 of 10 images wait and this call brings 3"));
  AdmitQueued(NewTask(2));
  EXPECT_TRUE(absl::IsResourceExhausted(Admit(NewTask(1))));
}

TEST_F(RequestQueueTest, ABusyModelLeavesTheRoomOfTheOthers) {
  AdmitQueued(NewTask(10, first_));
  EXPECT_TRUE(absl::IsResourceExhausted(Admit(NewTask(1, first_))));
  AdmitQueued(NewTask(10, second_));
  EXPECT_EQ(queue_.queued_images(), 20U);
}

TEST_F(RequestQueueTest, AModelMayHaveLessRoomThanTheQueueAndNotMore) {
  first_.model->SetQueueLimits(3, kDefaultPriority);
  second_.model->SetQueueLimits(1000, kDefaultPriority);
  AdmitQueued(NewTask(2, first_));
  EXPECT_THAT(std::string(Admit(NewTask(2, first_)).message()), HasSubstr("2 of 3 images wait"));
  AdmitQueued(NewTask(1, first_));
  AdmitQueued(NewTask(9, second_));
  EXPECT_THAT(std::string(Admit(NewTask(2, second_)).message()), HasSubstr("9 of 10 images wait"));
}

// "Retry later" would never help.
TEST_F(RequestQueueTest, ARequestLargerThanItsModelsRoomIsTakenWhenItIsAlone) {
  first_.model->SetQueueLimits(3, kDefaultPriority);
  FakeTask& background = NewTask(8, second_);
  background.SetPriority(5);
  AdmitQueued(NewTask(9, first_));
  AdmitQueued(background);
  EXPECT_TRUE(absl::IsResourceExhausted(Admit(NewTask(1, first_))));
  ASSERT_TRUE(queue_.TakeBatch(batch_));
  queue_.BatchDone();
  EXPECT_TRUE(absl::IsResourceExhausted(Admit(NewTask(11, first_)))) << "more than the server's";
}

TEST_F(RequestQueueTest, BackgroundRequestsFillHalfOfItAndTheOthersTheRest) {
  const auto with_priority = [this](std::size_t images, int priority) -> FakeTask& {
    FakeTask& task = NewTask(images);
    task.SetPriority(priority);
    return task;
  };
  AdmitQueued(with_priority(3, 4));
  AdmitQueued(with_priority(2, 5));
  const absl::Status full = Admit(with_priority(1, 4));
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("low priority: 5 of 5 images wait"));
  AdmitQueued(with_priority(5, 3));
  EXPECT_TRUE(absl::IsResourceExhausted(Admit(with_priority(1, 1))));
}

TEST_F(RequestQueueTest, PriorityDecidesWithinAModelAndNotBetweenModels) {
  FakeTask& waiting = NewTask(4, first_);
  FakeTask& other = NewTask(1, second_);
  FakeTask& urgent = NewTask(2, first_);
  urgent.SetPriority(1);
  other.SetPriority(5);
  for (FakeTask* task : {&waiting, &other, &urgent}) AdmitQueued(*task);
  for (FakeTask* task : {&urgent, &other, &waiting}) {
    ASSERT_TRUE(queue_.TakeBatch(batch_));
    EXPECT_THAT(batch_, ElementsAre(task));
    queue_.BatchDone();
  }
}

TEST_F(RequestQueueTest, HasRoomAgainOnceABatchIsTaken) {
  AdmitQueued(NewTask(10));
  ASSERT_TRUE(queue_.TakeBatch(batch_));
  AdmitQueued(NewTask(10));
  queue_.BatchDone();
}

TEST_F(RequestQueueTest, HandsOutAQuickBatchOnlyWithinTheBudget) {
  FakeTask& a = NewTask(2);
  FakeTask& b = NewTask(2);
  FakeTask& c = NewTask(1);
  for (FakeTask* task : {&a, &b, &c}) ASSERT_TRUE(queue_.Admit(*task, ComputedBy::kCaller).ok());
  const std::chrono::nanoseconds expected = first_.model->ExpectedTime(4);
  EXPECT_FALSE(queue_.TakeQuickBatch(expected - std::chrono::nanoseconds(1), kNoSharing, batch_));
  EXPECT_THAT(batch_, IsEmpty());
  ASSERT_TRUE(queue_.TakeQuickBatch(expected, kNoSharing, batch_));
  EXPECT_THAT(batch_, ElementsAre(&a, &b));  // a batch has room for 4 images
  EXPECT_EQ(queue_.queued_images(), 1U);
  ASSERT_TRUE(queue_.TakeQuickBatch(expected, kNoSharing, batch_));
  EXPECT_THAT(batch_, ElementsAre(&c));
  queue_.BatchDone();
  queue_.BatchDone();
  EXPECT_FALSE(queue_.TakeQuickBatch(expected, kNoSharing, batch_));
}

TEST_F(RequestQueueTest, AQuickModelNeedNotWaitBehindASlowRequest) {
  FakeTask& slow = NewTask(9, first_);
  FakeTask& quick = NewTask(1, second_);
  ASSERT_TRUE(queue_.Admit(slow, ComputedBy::kWorker).ok());
  ASSERT_TRUE(queue_.Admit(quick, ComputedBy::kCaller).ok());
  const std::chrono::nanoseconds budget = second_.model->ExpectedTime(1);
  ASSERT_LT(budget, first_.model->ExpectedTime(9));
  ASSERT_TRUE(queue_.TakeQuickBatch(budget, kNoSharing, batch_));
  EXPECT_THAT(batch_, ElementsAre(&quick));
  queue_.BatchDone();
  ASSERT_TRUE(queue_.TakeBatch(batch_));
  EXPECT_THAT(batch_, ElementsAre(&slow));
  queue_.BatchDone();
}

TEST_F(RequestQueueTest, ExpectsToWaitForItsOwnImagesAndForTheTurnsOfOthers) {
  EXPECT_EQ(queue_.ExpectedWait(*first_.model), std::chrono::nanoseconds(0));
  AdmitQueued(NewTask(4, second_));
  EXPECT_EQ(queue_.ExpectedWait(*first_.model), std::chrono::nanoseconds(0));
  // A batch has room for 4 images: one turn each.
  AdmitQueued(NewTask(3, first_));
  AdmitQueued(NewTask(2, second_));
  const auto one_turn = first_.model->ExpectedTime(3) + second_.model->ExpectedTime(4);
  EXPECT_EQ(queue_.ExpectedWait(*first_.model), one_turn);
  EXPECT_EQ(queue_.ExpectedWait(*second_.model),
            first_.model->ExpectedTime(3) + second_.model->ExpectedTime(6));
}

// A thread that waits for a batch, takes it and ends.
std::thread WaitingWorker(RequestQueue& queue) {
  std::thread worker([&queue] {
    std::vector<ClassificationTask*> batch;
    EXPECT_TRUE(queue.TakeBatch(batch));
    queue.BatchDone();
  });
  // If it does not wait by then, it finds what is queued without being woken: the test is then
  // weaker, not wrong.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return worker;
}

// Would hang if nobody were woken.
TEST_F(RequestQueueTest, WhatACallerLeavesGoesToAWaitingWorker) {
  FakeTask& task = NewTask(1);
  std::thread worker = WaitingWorker(queue_);
  ASSERT_TRUE(queue_.Admit(task, ComputedBy::kCaller).ok());
  EXPECT_FALSE(queue_.TakeQuickBatch(std::chrono::nanoseconds(0), kNoSharing, batch_));
  worker.join();
}

// Would hang if nobody were woken.
TEST_F(RequestQueueTest, ACallerWithMoreThanEnoughSharesItWithAWaitingWorker) {
  std::thread worker = WaitingWorker(queue_);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(queue_.Admit(NewTask(4), ComputedBy::kCaller).ok());  // a batch each
  }
  EXPECT_TRUE(queue_.TakeQuickBatch(std::chrono::hours(1), std::chrono::nanoseconds(0), batch_));
  queue_.BatchDone();
  worker.join();
}

TEST_F(RequestQueueTest, ClosedItRefusesNewTasksAndHandsOutTheOldOnes) {
  FakeTask& old_task = NewTask();
  AdmitQueued(old_task);
  queue_.Close();
  EXPECT_TRUE(absl::IsUnavailable(queue_.Admit(NewTask(), ComputedBy::kWorker)));
  EXPECT_TRUE(absl::IsUnavailable(queue_.Admit(NewTask(), ComputedBy::kCaller)));
  ASSERT_TRUE(queue_.TakeBatch(batch_));
  EXPECT_THAT(batch_, ElementsAre(&old_task));
  queue_.BatchDone();
  EXPECT_FALSE(queue_.TakeBatch(batch_));
  EXPECT_THAT(batch_, IsEmpty());
  queue_.WaitUntilIdle();  // would hang if a batch were still counted
}

TEST_F(RequestQueueTest, CloseWakesEveryWaitingWorker) {
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([this] {
      std::vector<ClassificationTask*> batch;
      EXPECT_FALSE(queue_.TakeBatch(batch));
    });
  }
  queue_.Close();
  for (std::thread& worker : workers) worker.join();
}

TEST_F(RequestQueueTest, EveryTaskIsTakenExactlyOnceByConcurrentWorkers) {
  constexpr std::size_t kTasks = 2000;
  std::vector<FakeTask*> tasks;
  for (std::size_t i = 0; i < kTasks; ++i) {
    tasks.push_back(&NewTask(1 + i % 3, i % 5 == 0 ? second_ : first_));
  }
  std::vector<std::thread> workers;
  for (int i = 0; i < 2; ++i) {
    workers.emplace_back([this] {
      std::vector<ClassificationTask*> batch;
      while (queue_.TakeBatch(batch)) {
        for (ClassificationTask* task : batch) {
          auto* const fake = static_cast<FakeTask*>(task);
          EXPECT_EQ(fake->model(), batch.front()->model());
          EXPECT_FALSE(fake->status.has_value());
          fake->Complete(absl::OkStatus(), {});
        }
        queue_.BatchDone();
      }
    });
  }
  for (FakeTask* task : tasks) {
    while (absl::IsResourceExhausted(Admit(*task))) {
      std::this_thread::yield();
    }
  }
  queue_.Close();
  for (std::thread& worker : workers) worker.join();
  for (FakeTask* task : tasks) EXPECT_TRUE(task->status.has_value());
}

TEST_F(RequestQueueTest, ReportsItsDepth) {
  AdmitQueued(NewTask(3));
  AdmitQueued(NewTask(4));
  EXPECT_THAT(metrics_.Text(), HasSubstr("lipserve_queue_depth 7\n"));
  EXPECT_THAT(first_.metrics->Text(),
              HasSubstr("lipserve_model_queue_depth{model=\"small\",version=\"1\"} 7\n"));
  ASSERT_TRUE(queue_.TakeBatch(batch_));
  queue_.BatchDone();
  EXPECT_THAT(metrics_.Text(), HasSubstr("lipserve_queue_depth 4\n"));
}

}  // namespace
}  // namespace lipserve
