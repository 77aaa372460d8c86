// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/nearest_prototype.h"

#include <cmath>
#include <random>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/gradient_check.h"
#include "tests/trainer/matrices.h"
#include "trainer/training/prototype_start.h"

namespace lipserve::trainer {
namespace {

constexpr NearestPrototypeOptions kPrototypeOptions{.classes = 3, .prototypes_per_class = 4};

double SquaredDistance(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    sum += std::pow(static_cast<double>(a[k]) - static_cast<double>(b[k]), 2.0);
  }
  return sum;
}

TEST(NearestPrototypeTest, ScoresDifferAsHalfTheSquaredDistances) {
  std::mt19937_64 random(1);
  NearestPrototype layer(6, kPrototypeOptions, random);
  const std::vector<float> x = RandomNumbers(6, random);
  std::vector<float> y(12);
  layer.PrepareStep(false);
  layer.Forward({x.data(), 1, 6}, {y.data(), 1, 12});
  for (std::size_t i = 0; i < 12; ++i) {
    for (std::size_t j = 0; j < 12; ++j) {
      const double apart = SquaredDistance(x, layer.prototypes().row(j)) -
                           SquaredDistance(x, layer.prototypes().row(i));
      EXPECT_NEAR(static_cast<double>(y[i]) - static_cast<double>(y[j]), 0.5 * apart, 1e-5);
    }
  }
}

TEST(NearestPrototypeTest, GradientsMatchDifferences) {
  std::mt19937_64 random(2);
  NearestPrototype layer(6, kPrototypeOptions, random);
  ExpectGradientsMatchDifferences(layer, RandomNumbers(5 * 6, random), 5, random);
}

// Only the rows that a loss looks at move.
TEST(NearestPrototypeTest, AGradientOfTwoScoresMovesTwoPrototypes) {
  std::mt19937_64 random(3);
  NearestPrototype layer(6, kPrototypeOptions, random);
  const std::vector<float> x = RandomNumbers(6, random);
  std::vector<float> y(12);
  std::vector<float> dy(12);
  dy[2] = -0.5F;
  dy[7] = 0.5F;
  layer.PrepareStep(true);
  layer.Forward({x.data(), 1, 6}, {y.data(), 1, 12});
  layer.Backward({x.data(), 1, 6}, {y.data(), 1, 12}, {dy.data(), 1, 12}, {nullptr, 1, 6});
  layer.FinishStep();
  const std::vector<float>& gradient = layer.parameters()[0].gradient;
  for (std::size_t r = 0; r < 12; ++r) {
    for (std::size_t k = 0; k < 6; ++k) {
      EXPECT_FLOAT_EQ(gradient[r * 6 + k], dy[r] * (x[k] - layer.prototypes().row(r)[k]));
    }
  }
}

TEST(NearestPrototypeTest, FreezesToTheScoresOfItsRoundedPrototypes) {
  std::mt19937_64 random(4);
  NearestPrototype layer(6, kPrototypeOptions, random);
  layer.prototypes().row(1)[0] = 1e-40F;  // subnormal: a model may not hold it
  const FrozenLayer frozen = layer.Freeze();
  const auto& dense = std::get<DenseLayer>(frozen);
  ASSERT_EQ(dense.outputs, 12U);
  ASSERT_EQ(dense.bias.size(), 12U);
  EXPECT_EQ(dense.weights[6], 0.0F);
  for (std::size_t r = 0; r < 12; ++r) {
    double squares = 0.0;
    for (std::size_t k = 0; k < 6; ++k) {
      const auto weight = static_cast<double>(dense.weights[r * 6 + k]);
      squares += weight * weight;
    }
    EXPECT_EQ(dense.bias[r], static_cast<float>(-0.5 * squares));
  }
}

TEST(PrototypeStartTest, CentresAreTheMeansOfTheirPoints) {
  const std::vector<float> points = {0.0F, 1.0F, 10.0F, 11.0F, 12.0F};
  const std::vector<std::uint32_t> order = {1, 0, 2, 3, 4};
  std::vector<float> centres(2);
  FindClusters({points.data(), 5, 1}, order, 0, {centres.data(), 2, 1});
  EXPECT_EQ(centres, (std::vector<float>{1.0F, 0.0F}));
  FindClusters({points.data(), 5, 1}, order, 10, {centres.data(), 2, 1});
  EXPECT_EQ(centres, (std::vector<float>{11.0F, 0.5F}));
}

TEST(PrototypeStartTest, ACentreWithoutPointsStays) {
  const std::vector<float> points = {2.0F, 2.0F, 5.0F};
  std::vector<float> centres(2);
  FindClusters({points.data(), 3, 1}, {0, 1, 2}, 1, {centres.data(), 2, 1});
  EXPECT_EQ(centres, (std::vector<float>{3.0F, 2.0F}));
}

}  // namespace
}  // namespace lipserve::trainer
