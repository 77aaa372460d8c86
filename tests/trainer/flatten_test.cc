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
  Flatten layer({2, 3, 4});
  EXPECT_EQ(layer.output_shape(), (SampleShape{24, 1, 1}));
  EXPECT_TRUE(layer.IsView());
  EXPECT_TRUE(std::holds_alternative<FlattenLayer>(layer.Freeze()));
}

TEST(FlattenTest, MovesNothing) {
  Flatten layer({1, 2, 2});
  const std::vector<float> x = {1, -2, 3, 4, 5, 6, 7, -8};
  std::vector<float> y(8);
  layer.Forward({x.data(), 2, 4}, {y.data(), 2, 4});
  EXPECT_EQ(y, x);
}

TEST(FlattenTest, GradientMatchesDifferences) {
  std::mt19937_64 random(1);
  Flatten layer({1, 2, 3});
  ExpectGradientsMatchDifferences(layer, RandomNumbers(12, random), 2, random);
}

}  // namespace
}  // namespace lipserve::trainer
