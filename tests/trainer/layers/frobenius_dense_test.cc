// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/frobenius_dense.h"

#include <cmath>
#include <random>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/gradient_check.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kFrobeniusInputs = 7;

double RowNorm(const std::vector<float>& weights, std::size_t row) {
  double sum = 0.0;
  for (std::size_t i = 0; i < kFrobeniusInputs; ++i) {
    sum += static_cast<double>(weights[row * kFrobeniusInputs + i]) *
           static_cast<double>(weights[row * kFrobeniusInputs + i]);
  }
  return std::sqrt(sum);
}

TEST(FrobeniusDenseTest, GradientMatchesDifferencesJointAndDisjointWithAndWithoutBias) {
  std::mt19937_64 random(6);
  for (const bool disjoint : {false, true}) {
    for (const bool bias : {false, true}) {
      FrobeniusDense layer(kFrobeniusInputs, {3, bias, disjoint}, random);
      // Off the norm 1, where a forgotten division by it would not show.
      layer.parameters()[0].values = RandomNumbers(3 * kFrobeniusInputs, random, 0.7);
      if (bias) layer.parameters()[1].values = RandomNumbers(3, random);
      ExpectGradientsMatchDifferences(layer, RandomNumbers(4 * kFrobeniusInputs, random), 4,
                                      random);
    }
  }
}

TEST(FrobeniusDenseTest, JointWeightsHaveFrobeniusNormOne) {
  std::mt19937_64 random(7);
  FrobeniusDense layer(kFrobeniusInputs, {3, false, false}, random);
  layer.parameters()[0].values = RandomNumbers(3 * kFrobeniusInputs, random, 5.0);
  layer.PrepareStep(false);
  const ConstMatrixView w = layer.effective_weights();
  EXPECT_NEAR(FrobeniusNorm(ToFloat64({w.data, w.size()}, w.rows, w.cols)), 1.0, 1e-6);
}

TEST(FrobeniusDenseTest, JointNeverStretches) {
  std::mt19937_64 random(8);
  FrobeniusDense layer(kFrobeniusInputs, {3, true, false}, random);
  EXPECT_LE(LargestStretch(layer, kFrobeniusInputs, random), 1.0 + kStretchRounding);
}

TEST(FrobeniusDenseTest, DisjointRowsHaveNormOneSoThatNoScoreStretches) {
  std::mt19937_64 random(9);
  FrobeniusDense layer(kFrobeniusInputs, {3, false, true}, random);
  layer.parameters()[0].values = RandomNumbers(3 * kFrobeniusInputs, random, 5.0);
  layer.PrepareStep(false);
  const ConstMatrixView w = layer.effective_weights();
  for (std::size_t row = 0; row < 3; ++row) {
    EXPECT_NEAR(RowNorm({w.data, w.data + w.size()}, row), 1.0, 1e-6);
  }
  FrobeniusDense single(kFrobeniusInputs, {1, false, true}, random);
  EXPECT_LE(LargestStretch(single, kFrobeniusInputs, random), 1.0 + kStretchRounding);
}

TEST(FrobeniusDenseTest, FrozenWeightsAreNormalisedInFloat64AndCloseToTheEffectiveOnes) {
  std::mt19937_64 random(10);
  for (const bool disjoint : {false, true}) {
    FrobeniusDense layer(kFrobeniusInputs, {3, true, disjoint}, random);
    layer.parameters()[0].values = RandomNumbers(3 * kFrobeniusInputs, random, 3.0);
    layer.parameters()[1].values = {1.0F, 1e-40F, -2.0F};
    layer.PrepareStep(false);
    const DenseLayer frozen = std::get<DenseLayer>(layer.Freeze());
    EXPECT_EQ(frozen.inputs, kFrobeniusInputs);
    EXPECT_EQ(frozen.outputs, 3U);
    EXPECT_EQ(frozen.bias, (std::vector<float>{1.0F, 0.0F, -2.0F}));  // no subnormals
    ASSERT_EQ(frozen.weights.size(), layer.effective_weights().size());
    double sum_of_squares = 0.0;
    for (std::size_t i = 0; i < frozen.weights.size(); ++i) {
      // Both within (inputs + 8) roundings of the same number below 1.
      EXPECT_NEAR(static_cast<double>(frozen.weights[i]),
                  static_cast<double>(layer.effective_weights().data[i]), 1e-6);
      sum_of_squares +=
          static_cast<double>(frozen.weights[i]) * static_cast<double>(frozen.weights[i]);
    }
    // One rounding per weight.
    EXPECT_NEAR(std::sqrt(sum_of_squares), disjoint ? std::sqrt(3.0) : 1.0, 2.0 * 0x1p-24);
  }
}

TEST(FrobeniusDenseTest, EvaluationReflectsTheLatestChangeOfTheKernel) {
  std::mt19937_64 random(11);
  FrobeniusDense layer(2, {1, false, false}, random);
  layer.PrepareStep(true);
  layer.parameters()[0].values = {3.0F, -4.0F};
  layer.PrepareStep(false);
  EXPECT_FLOAT_EQ(layer.effective_weights().data[0], 0.6F);
  EXPECT_FLOAT_EQ(layer.effective_weights().data[1], -0.8F);
}

TEST(FrobeniusDenseTest, KernelOfZerosGivesZerosAndAFiniteGradient) {
  std::mt19937_64 random(12);
  FrobeniusDense layer(2, {1, false, false}, random);
  layer.parameters()[0].values = {0.0F, 0.0F};
  const std::vector<float> x = {1.0F, 2.0F};
  const float dy = 1.0F;
  float y = 7.0F;
  layer.PrepareStep(true);
  layer.Forward({x.data(), 1, 2}, {&y, 1, 1});
  layer.Backward({x.data(), 1, 2}, {&y, 1, 1}, {&dy, 1, 1}, {nullptr, 1, 2});
  layer.FinishStep();
  EXPECT_EQ(y, 0.0F);
  for (const float g : layer.parameters()[0].gradient) EXPECT_TRUE(std::isfinite(g));
  EXPECT_EQ(std::get<DenseLayer>(layer.Freeze()).weights, (std::vector<float>{0.0F, 0.0F}));
}

}  // namespace
}  // namespace lipserve::trainer
