// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/gradient_check.h"
#include "trainer/layers/group_sort.h"

namespace lipserve::trainer {
namespace {

// Numbers that differ by 0.1 or more, so that no step of the gradient check makes a tie.
std::vector<float> SpacedNumbers(std::size_t count, std::mt19937_64& random) {
  std::vector<float> numbers(count);
  for (std::size_t i = 0; i < count; ++i) {
    numbers[i] = 0.1F * (static_cast<float>(i) - static_cast<float>(count / 2));
  }
  for (std::size_t i = count; i > 1; --i) std::swap(numbers[i - 1], numbers[random() % i]);
  return numbers;
}

std::vector<float> BackwardOf(GroupSort& layer, const std::vector<float>& x,
                              const std::vector<float>& dy) {
  std::vector<float> y(x.size());
  std::vector<float> dx(x.size());
  const std::size_t size = layer.output_shape().size();
  const std::size_t rows = x.size() / size;
  layer.Forward({x.data(), rows, size}, {y.data(), rows, size});
  layer.Backward({x.data(), rows, size}, {y.data(), rows, size}, {dy.data(), rows, size},
                 {dx.data(), rows, size});
  return dx;
}

TEST(GroupSortLayerTest, SortsEachGroupAscending) {
  GroupSort layer({6, 1, 1}, 3);
  const std::vector<float> x = {3, 1, 2, -1, -3, -2};
  std::vector<float> y(6);
  layer.Forward({x.data(), 1, 6}, {y.data(), 1, 6});
  EXPECT_EQ(y, (std::vector<float>{1, 2, 3, -3, -2, -1}));
}

TEST(GroupSortLayerTest, SortsTheChannelsOfEachPositionOfAnImage) {
  GroupSort layer({4, 1, 2}, 2);
  EXPECT_EQ(layer.output_shape(), (SampleShape{4, 1, 2}));
  const std::vector<float> x = {2, 1, 3, 4, 6, 5, 8, 7};  // two positions of four channels
  std::vector<float> y(8);
  layer.Forward({x.data(), 1, 8}, {y.data(), 1, 8});
  EXPECT_EQ(y, (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(GroupSortLayerTest, GradientMatchesDifferencesForEveryGroupSize) {
  std::mt19937_64 random(3);
  for (const std::size_t group_size : {2U, 3U, 4U, 6U, 12U}) {
    SCOPED_TRACE(group_size);
    GroupSort layer({12, 1, 1}, group_size);
    ExpectGradientsMatchDifferences(layer, SpacedNumbers(36, random), 3, random);
  }
}

TEST(GroupSortLayerTest, BackwardMovesTheGradientToWhereTheValueCameFrom) {
  GroupSort layer({4, 1, 1}, 4);
  EXPECT_EQ(BackwardOf(layer, {30, 10, 40, 20}, {1, 2, 3, 4}), (std::vector<float>{3, 1, 4, 2}));
}

TEST(GroupSortLayerTest, EqualValuesKeepTheirOrderWhateverTheGroupSize) {
  const std::vector<float> x = {5, 5, -0.0F, 0.0F, 0.0F, -0.0F};
  const std::vector<float> dy = {1, 2, 3, 4, 5, 6};
  GroupSort pairs({6, 1, 1}, 2);
  EXPECT_EQ(BackwardOf(pairs, x, dy), dy);
  GroupSort all({4, 1, 1}, 4);
  EXPECT_EQ(BackwardOf(all, {0.0F, -0.0F, 0.0F, -0.0F}, {1, 2, 3, 4}),
            (std::vector<float>{1, 2, 3, 4}));
}

TEST(GroupSortLayerTest, PairsAgreeWithTheGeneralSort) {
  std::mt19937_64 random(4);
  const std::vector<float> x = RandomNumbers(40, random);
  const std::vector<float> dy = RandomNumbers(40, random);
  GroupSort pairs({2, 1, 1}, 2);  // rows of 2: the same pairs as groups of 2 in rows of 40
  GroupSort wide({40, 1, 1}, 2);
  EXPECT_EQ(BackwardOf(pairs, x, dy), BackwardOf(wide, x, dy));
  // And by the definition.
  std::vector<float> expected(40);
  for (std::size_t i = 0; i < 40; i += 2) {
    const std::size_t smaller = x[i] <= x[i + 1] ? i : i + 1;
    expected[smaller] = dy[i];
    expected[i + (i + 1 - smaller)] = dy[i + 1];
  }
  EXPECT_EQ(BackwardOf(wide, x, dy), expected);
}

TEST(GroupSortLayerTest, NeverStretchesAndKeepsTheGradientsNorm) {
  std::mt19937_64 random(5);
  for (const std::size_t group_size : {2U, 4U, 16U}) {
    GroupSort layer({16, 1, 1}, group_size);
    EXPECT_LE(LargestStretch(layer, 16, random), 1.0 + 1e-12);  // float64 rounding of the test
    const std::vector<float> x = RandomNumbers(16, random);
    std::vector<float> dy = RandomNumbers(16, random);
    std::vector<float> dx = BackwardOf(layer, x, dy);
    std::sort(dy.begin(), dy.end());
    std::sort(dx.begin(), dx.end());
    EXPECT_EQ(dx, dy);
  }
}

TEST(GroupSortLayerTest, BackwardOfNaNIsAPermutationAndNoUndefinedBehaviour) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  GroupSort layer({8, 1, 1}, 8);
  std::vector<float> dx =
      BackwardOf(layer, {nan, 1, nan, -nan, 0, 3, nan, -1}, {1, 2, 3, 4, 5, 6, 7, 8});
  std::sort(dx.begin(), dx.end());
  EXPECT_EQ(dx, (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(GroupSortLayerTest, FreezesToItsGroupSizeAndIsNamedByIt) {
  EXPECT_EQ(std::get<GroupSortLayer>(GroupSort({12, 1, 1}, 4).Freeze()).group_size, 4U);
  EXPECT_EQ(GroupSort({12, 1, 1}, 4).type(), "GroupSort");
  EXPECT_EQ(GroupSort({12, 1, 1}, 2).type(), "GroupSort2");
  EXPECT_EQ(GroupSort({12, 1, 1}, 12).type(), "FullSort");
}

}  // namespace
}  // namespace lipserve::trainer
