// SPDX-License-Identifier: Apache-2.0
#include "model/execution/group_sort.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

TEST(GroupSortTest, SortsEachGroupAscending) {
  const std::vector<float> x = {3, 1, 2, -1, 5, 4};
  std::vector<float> y(6);
  GroupSort({x.data(), 1, 6}, 2, {y.data(), 1, 6});
  EXPECT_THAT(y, ::testing::ElementsAre(1, 3, -1, 2, 4, 5));
  GroupSort({x.data(), 1, 6}, 3, {y.data(), 1, 6});
  EXPECT_THAT(y, ::testing::ElementsAre(1, 2, 3, -1, 4, 5));
  GroupSort({x.data(), 1, 6}, 6, {y.data(), 1, 6});
  EXPECT_THAT(y, ::testing::ElementsAre(-1, 1, 2, 3, 4, 5));
}

TEST(GroupSortTest, InPlaceEqualsOutOfPlaceAndFloat64EqualsFloat32) {
  std::mt19937_64 random(1);
  for (const std::size_t group : {2U, 3U, 4U, 24U}) {
    const std::vector<float> x = RandomFloats(random, 7 * 24, 1.0);
    std::vector<float> out(x.size());
    std::vector<float> in_place = x;
    std::vector<double> wide(x.begin(), x.end());
    GroupSort({x.data(), 7, 24}, group, {out.data(), 7, 24});
    GroupSort({in_place.data(), 7, 24}, group, {in_place.data(), 7, 24});
    GroupSort(wide, group, wide.data());
    EXPECT_EQ(out, in_place);
    EXPECT_TRUE(std::equal(out.begin(), out.end(), wide.begin()));
  }
}

// Products that overflow make NaN, which no order has a place for.
TEST(GroupSortTest, AGroupWithANaNBecomesNaN) {
  std::mt19937_64 random(3);
  for (const std::size_t group : {3U, 4U, 64U}) {
    std::vector<float> x = RandomFloats(random, 2 * group, 1.0);
    for (std::size_t k = 0; k < group; k += 2) x[k] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> y(x.size());
    GroupSort({x.data(), 1, x.size()}, group, {y.data(), 1, y.size()});
    for (std::size_t k = 0; k < group; ++k) EXPECT_TRUE(std::isnan(y[k])) << group;
    std::sort(x.begin() + static_cast<std::ptrdiff_t>(group), x.end());
    EXPECT_TRUE(std::equal(y.begin() + static_cast<std::ptrdiff_t>(group), y.end(),
                           x.begin() + static_cast<std::ptrdiff_t>(group)));
  }
}

// The exact statement, in float64: the squares of float32 differences are exact there up to a
// relative 64 * 2^-53 for 64 values.
TEST(GroupSortTest, NeverIncreasesADistance) {
  std::mt19937_64 random(2);
  for (int trial = 0; trial < 2000; ++trial) {
    const std::size_t group = std::vector<std::size_t>{2, 4, 8, 64}[random() % 4];
    std::vector<float> a = RandomFloats(random, 64, 1.0);
    std::vector<float> b = a;
    for (float& value : b) value += RandomFloats(random, 1, 1e-3)[0];
    const auto distance = [](const std::vector<float>& p, const std::vector<float>& q) {
      double sum = 0.0;
      for (std::size_t i = 0; i < p.size(); ++i) {
        const double d = static_cast<double>(p[i]) - static_cast<double>(q[i]);
        sum += d * d;
      }
      return std::sqrt(sum);
    };
    const double before = distance(a, b);
    GroupSort({a.data(), 1, 64}, group, {a.data(), 1, 64});
    GroupSort({b.data(), 1, 64}, group, {b.data(), 1, 64});
    EXPECT_LE(distance(a, b), before * (1.0 + 64 * 0x1p-52));
  }
}

}  // namespace
}  // namespace lipserve
