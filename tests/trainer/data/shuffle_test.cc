// SPDX-License-Identifier: Apache-2.0
#include "trainer/data/shuffle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lipserve::trainer {
namespace {

using ::testing::ElementsAre;

TEST(ShuffleTest, IsAPermutation) {
  std::vector<std::uint32_t> order = ShuffledOrder(11774, 0, 1);
  EXPECT_NE(order, FileOrder(11774));
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, FileOrder(11774));
}

TEST(ShuffleTest, DependsOnSeedAndEpochAlone) {
  EXPECT_EQ(ShuffledOrder(100, 4, 2), ShuffledOrder(100, 4, 2));
  EXPECT_NE(ShuffledOrder(100, 4, 2), ShuffledOrder(100, 4, 3));
  EXPECT_NE(ShuffledOrder(100, 4, 2), ShuffledOrder(100, 5, 2));
  EXPECT_NE(ShuffledOrder(100, 1, 2), ShuffledOrder(100, 2, 1));
}

TEST(ShuffleTest, IsTheSameOrderOnEveryMachine) {
  // Computed once; another value means that old runs can no longer be repeated.
  EXPECT_THAT(ShuffledOrder(8, 0, 1), ElementsAre(5, 2, 1, 4, 3, 6, 0, 7));
}

TEST(ShuffleTest, HandlesNoneAndOne) {
  EXPECT_TRUE(ShuffledOrder(0, 1, 1).empty());
  EXPECT_THAT(ShuffledOrder(1, 1, 1), ElementsAre(0));
}

TEST(ShuffleTest, PutsEachSampleAtEachPlaceEquallyOften) {
  constexpr std::size_t kCount = 5;
  constexpr std::int64_t kEpochs = 20000;
  std::array<std::array<double, kCount>, kCount> hits{};
  for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const std::vector<std::uint32_t> order = ShuffledOrder(kCount, 9, epoch);
    for (std::size_t place = 0; place < kCount; ++place) hits[place][order[place]] += 1.0;
  }
  // Binomial(20000, 1/5): mean 4000, standard deviation 57; six of those are 340.
  for (const auto& row : hits) {
    for (const double hit : row) EXPECT_NEAR(hit, 4000.0, 340.0);
  }
}

}  // namespace
}  // namespace lipserve::trainer
