// SPDX-License-Identifier: Apache-2.0
#include "server/operations/model_statistics.h"

#include <gtest/gtest.h>

#include <array>
#include <stop_token>
#include <thread>

namespace lipserve {
namespace {

using std::chrono::nanoseconds;

// What the header promises of every snapshot.
void ExpectConsistent(const ModelStatistics::Snapshot& snapshot) {
  std::uint64_t images = 0;
  std::uint64_t batches = 0;
  nanoseconds decoding{0};
  nanoseconds encoding{0};
  for (const auto& [size, total] : snapshot.by_batch_size) {
    images += size * total.batches;
    batches += total.batches;
    decoding += total.decoding;
    encoding += total.encoding;
  }
  ASSERT_EQ(snapshot.images, images);
  ASSERT_EQ(snapshot.batches, batches);
  ASSERT_LE(snapshot.successes, images);
  ASSERT_EQ(snapshot.decoding_time, decoding);
  ASSERT_EQ(snapshot.encoding_time, encoding);
  ASSERT_GE(snapshot.success_time, snapshot.queue_time + snapshot.decoding_time +
                                       snapshot.computing_time + snapshot.encoding_time);
}

TEST(ModelStatisticsTest, ABatchCountsOnceForEachOfItsRequests) {
  ModelStatistics statistics;
  statistics.AddBatch({.images = 6,
                       .requests = 3,
                       .queued = nanoseconds(30),
                       .decoding = nanoseconds(9),
                       .computing = nanoseconds(100)});
  statistics.AddAnswer(6, nanoseconds(7), nanoseconds(2));
  statistics.AddFailure(nanoseconds(5));
  const ModelStatistics::Snapshot snapshot = statistics.Get();
  ExpectConsistent(snapshot);
  EXPECT_EQ(snapshot.images, 6U);
  EXPECT_EQ(snapshot.batches, 1U);
  EXPECT_EQ(snapshot.successes, 3U);
  EXPECT_EQ(snapshot.failures, 1U);
  EXPECT_EQ(snapshot.computing_time, nanoseconds(300));
  EXPECT_EQ(snapshot.success_time, nanoseconds(30 + 9 + 300 + 7));
  EXPECT_EQ(snapshot.failure_time, nanoseconds(5));
  EXPECT_EQ(snapshot.by_batch_size.at(6).computing, nanoseconds(100));
  EXPECT_GT(snapshot.last_inference_ms, 0);
}

// One that the exact stage decides later, and one that it does not decide in time.
TEST(ModelStatisticsTest, ARequestThatIsDecidedLaterCountsThenAndAFailedOneDoesNot) {
  ModelStatistics statistics;
  statistics.AddBatch({.images = 2, .requests = 0, .computing = nanoseconds(10)});
  ExpectConsistent(statistics.Get());
  EXPECT_EQ(statistics.Get().successes, 0U);
  EXPECT_EQ(statistics.Get().images, 2U);
  statistics.AddLateRequest({.images = 2,
                             .requests = 1,
                             .queued = nanoseconds(3),
                             .decoding = nanoseconds(4),
                             .computing = nanoseconds(50)});
  statistics.AddAnswer(2, nanoseconds(2), nanoseconds(1));
  statistics.AddFailure(nanoseconds(90));
  const ModelStatistics::Snapshot snapshot = statistics.Get();
  ExpectConsistent(snapshot);
  EXPECT_EQ(snapshot.successes, 1U);
  EXPECT_EQ(snapshot.failures, 1U);
  EXPECT_EQ(snapshot.batches, 1U);
  EXPECT_EQ(snapshot.success_time, nanoseconds(3 + 4 + 50 + 2));
}

// Every batch has two requests of three images, each with the same times. So the totals of any
// instant between two calls are multiples of one another, and no others are.
TEST(ModelStatisticsTest, EverySnapshotIsOfOneInstant) {
  ModelStatistics statistics;
  const auto write = [&statistics](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      statistics.AddBatch({.images = 6,
                           .requests = 2,
                           .queued = nanoseconds(4),
                           .decoding = nanoseconds(2),
                           .computing = nanoseconds(10)});
      statistics.AddAnswer(6, nanoseconds(3), nanoseconds(1));
      statistics.AddAnswer(6, nanoseconds(3), nanoseconds(1));
    }
  };
  const std::array<std::jthread, 2> writers = {std::jthread(write), std::jthread(write)};
  for (int i = 0; i < 20000; ++i) {
    const ModelStatistics::Snapshot snapshot = statistics.Get();
    ExpectConsistent(snapshot);
    ASSERT_EQ(snapshot.successes, 2 * snapshot.batches);
    ASSERT_EQ(snapshot.images, 6 * snapshot.batches);
    ASSERT_EQ(snapshot.queue_time.count(), 4 * static_cast<std::int64_t>(snapshot.batches));
    ASSERT_EQ(snapshot.computing_time.count(), 20 * static_cast<std::int64_t>(snapshot.batches));
    ASSERT_EQ(snapshot.success_time, snapshot.queue_time + snapshot.decoding_time +
                                         snapshot.computing_time + 3 * snapshot.encoding_time);
  }
}

}  // namespace
}  // namespace lipserve
