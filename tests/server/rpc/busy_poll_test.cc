// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/busy_poll.h"

#include <gtest/gtest.h>

namespace lipserve {
namespace {

using std::chrono::microseconds;

// How many answers pass until it looks, that one not counted.
int AnswersUntilItLooks(BusyPoll& poll) {
  int passed = 0;
  while (!poll.ShouldPoll()) ++passed;
  return passed;
}

TEST(BusyPollTest, LooksAfterEachAnswerWhileSomethingComes) {
  BusyPoll poll(microseconds(100));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(poll.ShouldPoll()) << i;
    poll.Record(/*found_event=*/true);
  }
}

TEST(BusyPollTest, LooksLessAndLessOftenWhileNothingComes) {
  BusyPoll poll(microseconds(100));
  for (const int passed : {0, 2, 4, 8, 16, 32, 64, 64, 64}) {
    EXPECT_EQ(AnswersUntilItLooks(poll), passed);
    poll.Record(/*found_event=*/false);
  }
}

TEST(BusyPollTest, StartsAnewOnceSomethingComes) {
  BusyPoll poll(microseconds(100));
  for (int i = 0; i < 3; ++i) {
    AnswersUntilItLooks(poll);
    poll.Record(/*found_event=*/false);
  }
  AnswersUntilItLooks(poll);
  poll.Record(/*found_event=*/true);
  EXPECT_EQ(AnswersUntilItLooks(poll), 0);
  poll.Record(/*found_event=*/false);
  EXPECT_EQ(AnswersUntilItLooks(poll), 2);
}

TEST(BusyPollTest, NeverLooksForNoTime) {
  BusyPoll poll(microseconds(0));
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(poll.ShouldPoll()) << i;
}

}  // namespace
}  // namespace lipserve
