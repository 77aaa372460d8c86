// SPDX-License-Identifier: Apache-2.0
#include "server/repository/batch_calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <vector>

#include "tests/server/fake_task.h"

namespace lipserve {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using ::testing::ElementsAre;
using ::testing::Pair;

// The batch times of a model that takes `time(images)`.
std::vector<BatchTime> Measure(std::size_t max_batch,
                               const std::function<nanoseconds(std::size_t)>& time) {
  FakeClock clock;
  return MeasureBatchTimes(
      max_batch, [&](std::size_t images) { clock.Advance(time(images)); }, clock);
}

std::size_t Limit(std::size_t max_batch, const std::function<nanoseconds(std::size_t)>& time) {
  return ChooseBatchLimit(Measure(max_batch, time));
}

TEST(BatchCalibrationTest, MeasuresPowersOfTwoAndTheLargest) {
  std::vector<std::size_t> sizes;
  for (const BatchTime& batch : Measure(12, [](std::size_t) { return microseconds(1); })) {
    sizes.push_back(batch.images);
  }
  EXPECT_THAT(sizes, ElementsAre(1, 2, 4, 8, 12));
}

TEST(BatchCalibrationTest, TheFastestRunCounts) {
  FakeClock clock;
  int run = 0;
  const auto slow_at_first = [&](std::size_t) {
    clock.Advance(microseconds(++run == 1 ? 500 : 7));
  };
  EXPECT_EQ(MeasureBatchTimes(1, slow_at_first, clock)[0].time, microseconds(7));
}

TEST(BatchCalibrationTest, WhatTakesLongIsRunLessOften) {
  FakeClock clock;
  std::map<std::size_t, int> runs;
  const auto compute = [&](std::size_t images) {
    ++runs[images];
    clock.Advance(static_cast<int>(images) * milliseconds(6));
  };
  MeasureBatchTimes(4, compute, clock);
  EXPECT_THAT(runs, ElementsAre(Pair(1, 4), Pair(2, 2), Pair(4, 2)));
}

TEST(BatchCalibrationTest, WhatTakesVeryLongIsNotRun) {
  FakeClock clock;
  std::map<std::size_t, int> runs;
  const auto compute = [&](std::size_t images) {
    ++runs[images];
    clock.Advance(static_cast<int>(images) * milliseconds(60));
  };
  const std::vector<BatchTime> times = MeasureBatchTimes(12, compute, clock);
  EXPECT_THAT(runs, ElementsAre(Pair(1, 2), Pair(2, 2)));
  EXPECT_EQ(times.back().images, 12U);
  EXPECT_EQ(times.back().time, milliseconds(720));
}

// An image more costs as much as one alone, as in a large convolutional network.
TEST(BatchCalibrationTest, WhereBatchesGainNothingImagesAreComputedAlone) {
  EXPECT_EQ(Limit(16, [](std::size_t n) { return static_cast<int>(n) * milliseconds(3); }), 1U);
}

// With 80 us around each batch: 90 us, 50, 30, 20, 15, 12.5 and 11.25 per image.
TEST(BatchCalibrationTest, WhatABatchCostsBesidesComputingIsSharedByMany) {
  const auto linear = [](std::size_t n) { return static_cast<int>(n) * microseconds(10); };
  EXPECT_EQ(Limit(32, linear), 32U);
  EXPECT_EQ(Limit(64, linear), 64U);
  // 180 us, 140, 120, 110, 105: the last is within 5 %.
  const auto slower = [](std::size_t n) { return static_cast<int>(n) * microseconds(100); };
  EXPECT_EQ(Limit(16, slower), 8U);
}

// Every batch reads the weights from memory once, which is most of its time.
TEST(BatchCalibrationTest, WhereEveryImageGainsTheLargestBatchIsTheLimit) {
  EXPECT_EQ(
      Limit(16,
            [](std::size_t n) { return milliseconds(5) + static_cast<int>(n) * microseconds(10); }),
      16U);
}

// 1024 x 1024 on AVX-512, as measured: a batch of 4 costs about as much as one of 1, then it is
// linear. With 80 us around each batch, 16 take 30.7 us each and 64 take 29.3 us.
TEST(BatchCalibrationTest, WhereTheGainEndsTheLimitIs) {
  const std::map<std::size_t, int> times_us = {{1, 84},   {2, 91},   {4, 100},  {8, 200},
                                               {16, 411}, {32, 881}, {64, 1796}};
  EXPECT_EQ(Limit(64, [&](std::size_t n) { return microseconds(times_us.at(n)); }), 16U);
}

TEST(BatchCalibrationTest, FivePercentAreNotWorthALongerWait) {
  const auto best_at_8 = [](double gain) {
    return [gain](std::size_t n) {
      const double per_image = n == 8 ? 2.4e7 / gain : 2.4e7;
      return nanoseconds(static_cast<std::int64_t>(per_image * static_cast<double>(n)));
    };
  };
  EXPECT_EQ(Limit(8, best_at_8(1.04)), 1U);
  EXPECT_EQ(Limit(8, best_at_8(1.06)), 8U);
}

TEST(BatchCalibrationTest, ABatchThatTakesNoMeasurableTimeIsNoDivisionByZero) {
  EXPECT_EQ(Limit(4, [](std::size_t) { return nanoseconds(0); }), 4U);
}

TEST(BatchCalibrationTest, CpuTimeOfAThreadPassesOnlyWhileItComputes) {
  const ThreadCpuClock clock;
  const Clock::TimePoint start = clock.Now();
  volatile double sum = 0.0;
  while (clock.Now() == start) sum = sum + 1.0;  // would hang if it stood still
  EXPECT_GT(clock.Now(), start);
}

}  // namespace
}  // namespace lipserve
