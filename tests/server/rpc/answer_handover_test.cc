// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/answer_handover.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <vector>

#include "server/scheduling/batch_executor.h"
#include "tests/server/fake_task.h"
#include "tests/server/small_model.h"

namespace lipserve {
namespace {

class AnswerHandoverTest : public ::testing::Test {
 protected:
  ~AnswerHandoverTest() override {
    queue_.Shutdown();
    while (DispatchNextEvent(std::chrono::hours(1))) {
    }
  }

  FakeTask NewTask(std::uint64_t seed, std::size_t images) {
    FakeTask task(served_.model, RandomInputs(seed, images));
    task.SetTimes(clock_.Now(), Clock::TimePoint::max());
    return task;
  }

  // What a poller does with its next event. False if none comes in that time.
  bool DispatchNextEvent(std::chrono::system_clock::duration patience) {
    void* tag = nullptr;
    bool ok = false;
    const auto deadline = std::chrono::system_clock::now() + patience;
    if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return false;
    static_cast<CompletionEvent*>(tag)->Dispatch(ok);
    return true;
  }
  bool PollerIsWoken() { return DispatchNextEvent(std::chrono::seconds(60)); }
  bool PollerSleeps() { return !DispatchNextEvent(std::chrono::seconds(0)); }

  SmallServedModel served_;
  FakeClock clock_;
  grpc::CompletionQueue queue_;
  AnswerHandover handover_{queue_};
  Metrics metrics_{BuildInfo{}};
  ExactStage exact_stage_{100, metrics_, clock_};
  BatchExecutor worker_{clock_, handover_, exact_stage_};
  PromptDelivery delivery_;
};

TEST_F(AnswerHandoverTest, AnswersALoneTaskAtOnce) {
  FakeTask task = NewTask(1, 3);
  worker_.Execute(std::array<ClassificationTask*, 1>{&task});
  ExpectOwnAnswers(task);
  EXPECT_TRUE(PollerSleeps());
}

TEST_F(AnswerHandoverTest, LeavesABatchToAPollerAndWakesIt) {
  FakeTask a = NewTask(1, 1);
  FakeTask b = NewTask(2, 3);
  worker_.Execute(std::array<ClassificationTask*, 2>{&a, &b});
  EXPECT_FALSE(a.status.has_value());
  EXPECT_FALSE(b.status.has_value());
  EXPECT_TRUE(PollerIsWoken());
  handover_.Drain(delivery_);
  ExpectOwnAnswers(a);
  ExpectOwnAnswers(b);
}

TEST_F(AnswerHandoverTest, KeepsTheAnswersOfSeveralBatchesApart) {
  std::vector<FakeTask> tasks;
  for (std::uint64_t i = 0; i < 6; ++i) tasks.push_back(NewTask(i, 1 + i % 2));
  for (int round = 0; round < 3; ++round) {  // the later ones reuse the memory of the first
    for (std::size_t i = 0; i < tasks.size(); i += 2) {
      worker_.Execute(std::array<ClassificationTask*, 2>{&tasks[i], &tasks[i + 1]});
    }
    handover_.Drain(delivery_);
    for (FakeTask& task : tasks) {
      ExpectOwnAnswers(task);
      task.status.reset();
    }
  }
}

TEST_F(AnswerHandoverTest, WakesAPollerOnceUntilItIsAwake) {
  FakeTask a = NewTask(1, 1);
  FakeTask b = NewTask(2, 1);
  const std::array<ClassificationTask*, 2> batch = {&a, &b};
  for (int round = 0; round < 3; ++round) {
    worker_.Execute(batch);
    worker_.Execute(batch);
    EXPECT_TRUE(PollerIsWoken());
    EXPECT_TRUE(PollerSleeps());
    // What comes before it looks wakes another one: it may have looked just before.
    worker_.Execute(batch);
    EXPECT_TRUE(PollerIsWoken());
    handover_.Drain(delivery_);
  }
}

TEST_F(AnswerHandoverTest, DeliversNothingTwice) {
  FakeTask a = NewTask(1, 1);
  FakeTask b = NewTask(2, 1);
  worker_.Execute(std::array<ClassificationTask*, 2>{&a, &b});
  handover_.Drain(delivery_);
  a.status.reset();
  handover_.Drain(delivery_);
  EXPECT_FALSE(a.status.has_value());
}

}  // namespace
}  // namespace lipserve
