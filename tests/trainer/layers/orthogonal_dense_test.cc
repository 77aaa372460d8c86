// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/orthogonal_dense.h"

#include <cmath>
#include <cstddef>
#include <random>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/gradient_check.h"
#include "tests/trainer/matrices.h"
#include "tests/trainer/orthogonal_check.h"
#include "trainer/layers/free_dense.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kOrthogonalInputs = 9;

TEST(OrthogonalDenseTest, StartsOrthogonalAndIsOneLipschitz) {
  for (const std::size_t units : {5U, 9U, 12U}) {
    std::mt19937_64 random(61);
    OrthogonalDense layer(kOrthogonalInputs, {units, true}, random);
    EXPECT_EQ(layer.parameters()[0].orthogonal_rows, units);
    EXPECT_LE(LargestStretch(layer, kOrthogonalInputs, random), 1.0 + kStretchRounding);
    ExpectOrthogonal(layer.effective_weights(), 1e-5);
  }
}

TEST(OrthogonalDenseTest, EvaluatesAndFreezesTheOrthogonalMatrixNearTheKernel) {
  std::mt19937_64 random(62);
  OrthogonalDense layer(kOrthogonalInputs, {5, true}, random);
  const std::vector<float> orthogonal = layer.parameters()[0].values;
  // As an average of weights would be: too short by a tenth.
  for (float& value : layer.parameters()[0].values) value *= 0.9F;
  layer.PrepareStep(/*training=*/false);
  const auto frozen = std::get<DenseLayer>(layer.Freeze());
  for (std::size_t i = 0; i < orthogonal.size(); ++i) {
    EXPECT_NEAR(layer.effective_weights().data[i], orthogonal[i], 1e-5F);
    EXPECT_NEAR(frozen.weights[i], orthogonal[i], 1e-6F);
  }
  layer.PrepareStep(/*training=*/true);
  EXPECT_EQ(layer.effective_weights().data[0], layer.parameters()[0].values[0]);
}

// In training the layer is plain; FreeDense shares the check, which evaluates without training.
TEST(FreeDenseTest, GradientsMatchDifferences) {
  std::mt19937_64 random(63);
  FreeDense layer(kOrthogonalInputs, {5, true}, random);
  ExpectGradientsMatchDifferences(layer, RandomNumbers(3 * kOrthogonalInputs, random), 3, random);
}

TEST(OrthogonalDenseTest, GradientOfTheKernelIsThatOfTheWeights) {
  std::mt19937_64 random(64);
  OrthogonalDense layer(kOrthogonalInputs, {5, false}, random);
  const std::vector<float> x = RandomNumbers(3 * kOrthogonalInputs, random);
  const std::vector<float> dy = RandomNumbers(3 * 5, random);
  std::vector<float> y(3 * 5);
  std::vector<float> dx(3 * kOrthogonalInputs);
  layer.PrepareStep(/*training=*/true);
  layer.Forward({x.data(), 3, kOrthogonalInputs}, {y.data(), 3, 5});
  layer.Backward({x.data(), 3, kOrthogonalInputs}, {y.data(), 3, 5}, {dy.data(), 3, 5},
                 {dx.data(), 3, kOrthogonalInputs});
  layer.FinishStep();
  const Matrix64 expected =
      Product(Transposed(ToFloat64(dy, 3, 5)), ToFloat64(x, 3, kOrthogonalInputs));
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(layer.parameters()[0].gradient[i]), expected.values[i], 1e-5);
  }
}

TEST(FreeDenseTest, StartsWithNormalNumbersOfVarianceOneOverInputs) {
  std::mt19937_64 random(65);
  FreeDense layer(400, {50, true}, random);
  double square = 0.0;
  for (const float value : layer.parameters()[0].values) {
    square += static_cast<double>(value) * static_cast<double>(value);
  }
  // 20,000 numbers: the mean of their squares is off by sqrt(2 / 20000) = 1 % in one of three.
  EXPECT_NEAR(square / 20'000.0, 1.0 / 400.0, 0.05 / 400.0);
  EXPECT_EQ(layer.type(), "Dense");
}

TEST(FreeDenseTest, FreezesItsKernelAndBias) {
  std::mt19937_64 random(66);
  FreeDense layer(kOrthogonalInputs, {3, true}, random);
  layer.parameters()[1].values = {1.0F, 2.0F, 1e-40F};
  const auto frozen = std::get<DenseLayer>(layer.Freeze());
  EXPECT_EQ(frozen.weights, layer.parameters()[0].values);
  EXPECT_THAT(frozen.bias, testing::ElementsAre(1.0F, 2.0F, 0.0F));
}

}  // namespace
}  // namespace lipserve::trainer
