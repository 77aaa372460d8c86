// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/power_iteration.h"

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "model/certificate/convolution_norm.h"
#include "tests/trainer/image_check.h"

namespace lipserve::trainer {
namespace {

TEST(PowerIterationTest, ReachesTheProvenNormOfEveryGeometryFromBelow) {
  std::mt19937_64 random(31);
  for (ConvolutionLayer layer : Geometries()) {
    SCOPED_TRACE(DescribeGeometry(layer));
    layer.weights = RandomNumbers(layer.output_channels * layer.fan_in(), random);
    const auto proven = BoundConvolutionNorm(layer);
    ASSERT_TRUE(proven.ok()) << proven.status();
    const auto map = MakeLinearMap(layer);
    PowerIteration power(*map);
    std::vector<float> v = power.InitialVector(random);
    const auto first = static_cast<double>(power.Iterate(layer.weights, 1, v));
    const auto last = static_cast<double>(power.Iterate(layer.weights, 2000, v));
    EXPECT_LE(first, last * (1.0 + 1e-5));
    EXPECT_NEAR(last, *proven, 1e-4 * *proven);
  }
}

TEST(PowerIterationTest, AMapOfZerosHasNormZeroAndKeepsWhereItStarts) {
  std::mt19937_64 random(32);
  DenseLayer dense;
  dense.inputs = 3;
  dense.outputs = 2;
  const auto map = MakeLinearMap(dense);
  PowerIteration power(*map);
  const std::vector<float> start = power.InitialVector(random);
  std::vector<float> v = start;
  EXPECT_EQ(power.Iterate(std::vector<float>(6), 5, v), 0.0F);
  EXPECT_EQ(v, start);
  std::vector<float> gradient(6, 1.0F);
  power.AddGradient(1.0F, gradient);
  EXPECT_EQ(gradient, std::vector<float>(6, 1.0F));
}

TEST(PowerIterationTest, FindsTheLargestGroupWhereverItSettledBefore) {
  std::mt19937_64 random(34);
  const ConvolutionLayer layer = Geometry({2, 3, 3}, 2, {}, PaddingMode::kZero, 2);
  const auto map = MakeLinearMap(layer);
  PowerIteration power(*map);
  std::vector<float> v = power.InitialVector(random);
  EXPECT_NEAR(power.Iterate(std::vector<float>{2.0F, 1.0F}, 500, v), 2.0F, 1e-5);
  EXPECT_NEAR(power.Iterate(std::vector<float>{2.0F, 3.0F}, 1, v), 3.0F, 1e-5);
  std::vector<float> gradient(2);
  power.AddGradient(1.0F, gradient);
  EXPECT_NEAR(gradient[0], 0.0F, 1e-6);
  EXPECT_NEAR(gradient[1], 1.0F, 1e-5);
}

TEST(PowerIterationTest, GradientIsTheProductOfTheSingularVectors) {
  std::mt19937_64 random(33);
  DenseLayer dense;
  dense.inputs = 2;
  dense.outputs = 2;
  const auto map = MakeLinearMap(dense);
  PowerIteration power(*map);
  std::vector<float> v = power.InitialVector(random);
  EXPECT_NEAR(static_cast<double>(power.Iterate(std::vector<float>{0, 3, 1, 0}, 100, v)), 3.0,
              1e-5);
  std::vector<float> gradient = {10, 10, 10, 10};
  power.AddGradient(2.0F, gradient);
  const std::vector<float> expected = {10, 12, 10, 10};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(gradient[i], expected[i], 1e-5) << i;
}

}  // namespace
}  // namespace lipserve::trainer
