// SPDX-License-Identifier: Apache-2.0
#include "client/verify/exact_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {
namespace {

using ::testing::ElementsAre;

mpq_class Exact(float value) { return mpq_class(static_cast<double>(value)); }

// The scores by fractions, one operation at a time: slow and plain.
std::vector<mpq_class> ScoresByFractions(const FrozenNetwork& network,
                                         const std::vector<float>& input) {
  std::vector<mpq_class> x;
  for (const float value : input) x.push_back(Exact(value));
  for (const FrozenLayer& layer : network.layers) {
    if (const auto* dense = std::get_if<DenseLayer>(&layer)) {
      std::vector<mpq_class> y(dense->outputs);
      for (std::size_t o = 0; o < dense->outputs; ++o) {
        if (!dense->bias.empty()) y[o] = Exact(dense->bias[o]);
        for (std::size_t k = 0; k < dense->inputs; ++k) {
          y[o] += Exact(dense->weights[o * dense->inputs + k]) * x[k];
        }
      }
      x = y;
    } else if (const auto* sort = std::get_if<GroupSortLayer>(&layer)) {
      for (std::size_t g = 0; g < x.size(); g += sort->group_size) {
        const auto first = x.begin() + static_cast<std::ptrdiff_t>(g);
        std::sort(first, first + static_cast<std::ptrdiff_t>(sort->group_size));
      }
    }
  }
  return x;
}

std::vector<mpq_class> ScoresOf(FrozenModel& frozen, const std::vector<float>& input) {
  const Model model = ParseModel(BytesOf(frozen)).value();
  const ExactVector scores =
      ExactScores(model, FromBinary32(BytesOf(input), Binary32Rule::kFinite).value());
  std::vector<mpq_class> values;
  for (const mpz_class& number : scores.numbers) {
    values.push_back(ToRational(number, scores.exponent));
  }
  return values;
}

TEST(ExactEvaluationTest, GivesTheScoresOfFractions) {
  std::mt19937_64 random(9);
  for (const auto& sizes :
       std::vector<std::vector<std::size_t>>{{12, 8, 8, 3}, {12, 8, 1}, {5, 2}}) {
    FrozenModel frozen = ModelOf(RandomNetwork(3, sizes));
    for (int trial = 0; trial < 5; ++trial) {
      const auto input = RandomFloats(random, sizes.front(), 1.0);
      EXPECT_EQ(ScoresOf(frozen, input), ScoresByFractions(frozen.network, input));
    }
  }
}

TEST(ExactEvaluationTest, LosesNothingBetweenNumbersOfVeryDifferentSize) {
  FrozenModel frozen = ModelOf(RandomNetwork(3, {2, 2, 2}));
  auto& first = std::get<DenseLayer>(frozen.network.layers[1]);
  first.weights = {1.0F, 0x1p100F, -0x1p-100F, 1.0F};
  first.bias = {0x1p-126F, -0x1p126F};
  auto& last = std::get<DenseLayer>(frozen.network.layers[3]);
  last.bias.clear();
  for (const auto& input : std::vector<std::vector<float>>{
           {1.0F, 1.0F}, {0x1p-149F, 0x1p127F}, {0.0F, -0.0F}, {-0x1p127F, 0x1p-149F}}) {
    EXPECT_EQ(ScoresOf(frozen, input), ScoresByFractions(frozen.network, input));
  }
}

TEST(ExactEvaluationTest, SortsGroupsInAscendingOrder) {
  FrozenModel frozen = ModelOf(RandomNetwork(3, {3, 3}));
  auto& dense = std::get<DenseLayer>(frozen.network.layers[1]);
  dense.weights = {1.0F, 0.0F, 0.0F, 0.0F, 1.0F, 0.0F, 0.0F, 0.0F, 1.0F};
  dense.bias.clear();
  frozen.network.layers[0] = GroupSortLayer{.group_size = 3};
  EXPECT_THAT(ScoresOf(frozen, {2.0F, -1.0F, 0.5F}), ElementsAre(-1, mpq_class(1, 2), 2));
}

TEST(ExactEvaluationTest, TheLowestIndexAmongTheLargestScoresWins) {
  const auto best = [](std::vector<mpz_class> numbers) {
    return LargestScore({.numbers = std::move(numbers), .exponent = 0});
  };
  EXPECT_EQ(best({1, 2, 2}), 1U);
  EXPECT_EQ(best({2, 2}), 0U);
  EXPECT_EQ(best({-3, -2, -2, -5}), 1U);
}

TEST(ExactEvaluationTest, ASingleScoreIsComparedWithZero) {
  FrozenModel frozen = ModelOf(RandomNetwork(3, {1, 1}));
  auto& dense = std::get<DenseLayer>(frozen.network.layers[1]);
  dense.weights = {1.0F};
  dense.bias.clear();
  const Model model = ParseModel(BytesOf(frozen)).value();
  const auto class_of = [&](float x) {
    return LargestScore(ClassScores(
        model, FromBinary32(BytesOf(std::vector<float>{x}), Binary32Rule::kFinite).value()));
  };
  EXPECT_EQ(class_of(1.0F), 0U);
  EXPECT_EQ(class_of(0.0F), 0U);
  EXPECT_EQ(class_of(-0x1p-149F), 1U);
}

}  // namespace
}  // namespace lipserve::verify
