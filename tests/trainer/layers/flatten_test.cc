// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/flatten.h"

#include <random>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/gradient_check.h"

namespace lipserve::trainer {
namespace {

TEST(FlattenTest, SeesAnImageAsOneVector) {
  Flatten layer({2, 3, 4}, SampleLayout::kRowMajor);
  EXPECT_EQ(layer.output_shape(), (SampleShape{24, 1, 1}));
  EXPECT_TRUE(layer.IsView());
  EXPECT_TRUE(std::holds_alternative<FlattenLayer>(layer.Freeze()));
}

TEST(FlattenTest, MovesNothing) {
  Flatten layer({1, 2, 2}, SampleLayout::kChannelsLast);
  const std::vector<float> x = {1, -2, 3, 4, 5, 6, 7, -8};
  std::vector<float> y(8);
  layer.Forward({x.data(), 2, 4}, {y.data(), 2, 4});
  EXPECT_EQ(y, x);
}

TEST(FlattenTest, PutsTheNumbersOfAChannelsLastImageInRowMajorOrder) {
  Flatten layer({2, 1, 3}, SampleLayout::kChannelsLast);
  EXPECT_FALSE(layer.IsView());
  const std::vector<float> x = {1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60};
  std::vector<float> y(12);
  layer.Forward({x.data(), 2, 6}, {y.data(), 2, 6});
  EXPECT_EQ(y, (std::vector<float>{1, 2, 3, 10, 20, 30, 4, 5, 6, 40, 50, 60}));
}

TEST(FlattenTest, GradientMatchesDifferencesInBothLayouts) {
  std::mt19937_64 random(1);
  for (const SampleLayout layout : {SampleLayout::kRowMajor, SampleLayout::kChannelsLast}) {
    Flatten layer({3, 2, 2}, layout);
    ExpectGradientsMatchDifferences(layer, RandomNumbers(24, random), 2, random);
  }
}

}  // namespace
}  // namespace lipserve::trainer
