// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/priority_lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <random>
#include <vector>

#include "tests/server/fake_task.h"
#include "tests/server/small_model.h"

namespace lipserve {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::ElementsAre;

class PriorityLaneTest : public ::testing::Test {
 protected:
  // Arrived `after` some moment.
  FakeTask& Add(int priority, Clock::TimePoint::duration after, std::size_t images = 1) {
    FakeTask& task =
        tasks_.emplace_back(model_.model, std::vector<float>(images * kSmallInputSize));
    task.SetPriority(priority);
    task.SetTimes(Clock::TimePoint(std::chrono::hours(1)) + after, Clock::TimePoint::max());
    lane_.Append(task);
    return task;
  }

  std::vector<ClassificationTask*> Take(std::size_t max_images) {
    std::vector<ClassificationTask*> batch;
    const std::size_t expected = lane_.NextBatchImages(max_images);
    EXPECT_EQ(lane_.TakeBatch(max_images, batch), expected);
    return batch;
  }

  const SmallServedModel model_;
  std::deque<FakeTask> tasks_;
  PriorityLane lane_;
};

TEST_F(PriorityLaneTest, TakesTheHighestPriorityFirstAndOneLevelInItsOrder) {
  FakeTask& low1 = Add(5, milliseconds(0));
  FakeTask& mid1 = Add(3, milliseconds(1));
  FakeTask& top1 = Add(1, milliseconds(2));
  FakeTask& low2 = Add(5, milliseconds(3));
  FakeTask& top2 = Add(1, milliseconds(4));
  FakeTask& mid2 = Add(3, milliseconds(5));
  EXPECT_THAT(Take(6), ElementsAre(&top1, &top2, &mid1, &mid2, &low1, &low2));
  EXPECT_TRUE(lane_.empty());
}

TEST_F(PriorityLaneTest, ABatchEndsAtTheFirstRequestThatDoesNotFit) {
  FakeTask& large = Add(3, milliseconds(0), 3);
  FakeTask& small = Add(3, milliseconds(0), 1);
  FakeTask& urgent = Add(2, milliseconds(0), 2);
  EXPECT_THAT(Take(4), ElementsAre(&urgent));
  EXPECT_THAT(Take(2), ElementsAre(&large));  // larger than a batch: one of its own
  EXPECT_THAT(Take(2), ElementsAre(&small));
  EXPECT_TRUE(lane_.empty());
}

TEST_F(PriorityLaneTest, ALevelIsWorthAHeadStartAndNoMore) {
  FakeTask& waiting = Add(4, milliseconds(0));
  FakeTask& in_time = Add(2, 2 * PriorityLane::kHeadStart - microseconds(1));
  FakeTask& too_late = Add(2, 2 * PriorityLane::kHeadStart + microseconds(1));
  EXPECT_THAT(Take(3), ElementsAre(&in_time, &waiting, &too_late));
}

// However much more urgent work comes, what waits is taken after what has come in its head start.
TEST_F(PriorityLaneTest, AFloodOfUrgentRequestsCannotStarveOthers) {
  FakeTask& patient = Add(5, milliseconds(0));
  int overtaken = 0;
  for (int i = 0; i < 10'000; ++i) {
    Add(1, milliseconds(i));
    if (Take(1).front() == &patient) break;
    ++overtaken;
  }
  EXPECT_EQ(milliseconds(overtaken), 4 * PriorityLane::kHeadStart + milliseconds(1));
}

TEST_F(PriorityLaneTest, TakesRandomRequestsInTheOrderOfTheDefinition) {
  std::mt19937_64 random(7);
  std::uniform_int_distribution<int> priority(1, kPriorityLevels);
  std::uniform_int_distribution<int> pause_ms(0, 20);
  std::vector<FakeTask*> expected;
  milliseconds now{0};
  for (int i = 0; i < 1000; ++i) {
    now += milliseconds(pause_ms(random));
    expected.push_back(&Add(priority(random), now));
  }
  const auto due = [](const FakeTask* task) {
    return task->arrival() + (task->images().priority - 1) * milliseconds(100);
  };
  std::stable_sort(expected.begin(), expected.end(), [&](const FakeTask* a, const FakeTask* b) {
    return due(a) != due(b) ? due(a) < due(b) : a->images().priority < b->images().priority;
  });
  for (FakeTask* const task : expected) EXPECT_THAT(Take(1), ElementsAre(task));
  EXPECT_TRUE(lane_.empty());
}

}  // namespace
}  // namespace lipserve
