// SPDX-License-Identifier: Apache-2.0
#include "client/verify/exact_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/verify/convolutional_network.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {
namespace {

using ::testing::ElementsAre;

std::vector<mpq_class> ScoresByChecker(FrozenModel& frozen, const std::vector<float>& input) {
  const Model model = ParseModel(BytesOf(frozen)).value();
  const ExactVector scores =
      ScoresOf(model, FromBinary32(BytesOf(input), Binary32Rule::kFinite).value());
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
      EXPECT_EQ(ScoresByChecker(frozen, input), ScoresByFractions(frozen.network, input));
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
    EXPECT_EQ(ScoresByChecker(frozen, input), ScoresByFractions(frozen.network, input));
  }
}

// flatten and dense with the identity, so that the scores are what `layers` make of the input.
FrozenModel ModelOfLayers(const SampleShape& shape, const std::vector<FrozenLayer>& layers) {
  FrozenNetwork network{.input_shape = shape, .layers = layers};
  SampleShape output = shape;
  for (const FrozenLayer& layer : layers) output = OutputShape(layer, output);
  const std::size_t size = output.size();
  DenseLayer identity{.inputs = size,
                      .outputs = size,
                      .weights = std::vector<float>(size * size),
                      .bias = {},
                      .claimed_operator_norm_bound = 1.0};
  for (std::size_t k = 0; k < size; ++k) identity.weights[k * size + k] = 1.0F;
  network.layers.emplace_back(FlattenLayer{});
  network.layers.emplace_back(identity);
  return ModelOf(std::move(network));
}

TEST(ExactEvaluationTest, ConvolvesAsTheFormatSaysInEveryGeometry) {
  std::mt19937_64 random(4);
  for (const auto mode : {lipserve::PaddingMode::kZero, lipserve::PaddingMode::kReflect,
                          lipserve::PaddingMode::kReplicate, lipserve::PaddingMode::kCircular}) {
    for (int trial = 0; trial < 25; ++trial) {
      const ConvolutionLayer layer = WithRandomWeights(random, RandomGeometry(random, mode));
      FrozenModel frozen = ModelOfLayers(layer.input, {layer});
      const auto input = RandomFloats(random, layer.input.size(), 1.0);
      EXPECT_EQ(ScoresByChecker(frozen, input), ScoresByFractions(frozen.network, input))
          << DescribeLayer(layer);
    }
  }
}

TEST(ExactEvaluationTest, ChainsEveryKindOfLayer) {
  std::mt19937_64 random(6);
  for (const bool with_l2_norm_pool : {false, true}) {
    FrozenModel frozen = ModelOf(ConvolutionalNetwork(8, with_l2_norm_pool));
    for (int trial = 0; trial < 5; ++trial) {
      const auto input = RandomFloats(random, frozen.network.input_shape.size(), 1.0);
      EXPECT_EQ(ScoresByChecker(frozen, input), ScoresByFractions(frozen.network, input));
    }
  }
}

TEST(ExactEvaluationTest, ActivatesAsTheFormatSays) {
  std::mt19937_64 random(7);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    FrozenModel frozen = ModelOf(RandomActivationNetwork(seed, 3));
    const auto input = RandomFloats(random, frozen.network.input_shape.size(), 1.0);
    EXPECT_EQ(ScoresByChecker(frozen, input), ScoresByFractions(frozen.network, input));
  }
  const SampleShape image{.channels = 2, .height = 1, .width = 2};
  const auto scores = [&](const FrozenLayer& layer) {
    FrozenModel frozen = ModelOfLayers(image, {layer});
    return ScoresByChecker(frozen, {1.0F, -2.0F, 3.0F, -4.0F});
  };
  EXPECT_THAT(scores(AbsLayer{}), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(scores(MaxMinLayer{}), ElementsAre(3, -2, 1, -4));
  EXPECT_THAT(scores(ConcatenatedReluLayer{}), ElementsAre(1, 0, 3, 0, 0, 2, 0, 4));
  EXPECT_THAT(scores(PReluLayer{{0.5F, -3.0F}}), ElementsAre(1, -1, 3, 12));
  // (1, 3) lies on the far side of the line normal to (1, -1), (-2, -4) is reflected about it.
  EXPECT_THAT(scores(HouseholderLayer{{1.0F, -1.0F}}), ElementsAre(1, -4, 3, -2));
  // (1, 3) becomes (1, 3) - 4 (1, 1) with a direction that is too long by sqrt(2) / sqrt(2).
  EXPECT_THAT(scores(HouseholderLayer{{1.0F, 1.0F}}), ElementsAre(-3, -2, -1, -4));
}

TEST(ExactEvaluationTest, StepsDownAConvexPotentialAsTheFormatSays) {
  std::mt19937_64 random(8);
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    FrozenModel frozen = ModelOf(RandomPotentialNetwork(seed, 3));
    const auto input = RandomFloats(random, frozen.network.input_shape.size(), 1.0);
    EXPECT_EQ(ScoresByChecker(frozen, input), ScoresByFractions(frozen.network, input));
  }
  // h = (x_0 + 2 x_1 - 1, x_1): 2 and -1 at (5, -1), which becomes (5, -1) - 2 (1, 2).
  FrozenModel frozen =
      ModelOfLayers({.channels = 2, .height = 1, .width = 1},
                    {ConvexPotentialLayer{DenseLayer{.inputs = 2,
                                                     .outputs = 2,
                                                     .weights = {1.0F, 2.0F, 0.0F, 1.0F},
                                                     .bias = {-1.0F, 0.0F},
                                                     .claimed_operator_norm_bound = 3.0}}});
  EXPECT_THAT(ScoresByChecker(frozen, {5.0F, -1.0F}), ElementsAre(3, -5));
}

TEST(ExactEvaluationTest, ActivationsLoseNothingBetweenNumbersOfVeryDifferentSize) {
  for (const FrozenLayer& layer : {FrozenLayer(PReluLayer{{0x1p-100F, 0x1p+100F}}),
                                   FrozenLayer(PReluLayer{{0x1p+60F, 0x1p+60F}}),
                                   FrozenLayer(HouseholderLayer{{0x1p-60F, 1.0F}}),
                                   FrozenLayer(HouseholderLayer{{-0x1p60F, 0x1p-126F}})}) {
    FrozenModel frozen = ModelOfLayers({.channels = 2, .height = 1, .width = 1}, {layer});
    for (const auto& input : std::vector<std::vector<float>>{
             {-1.0F, -1.0F}, {0x1p-149F, 0x1p127F}, {-0x1p127F, -0x1p-149F}, {-1.0F, 0.0F}}) {
      EXPECT_EQ(ScoresByChecker(frozen, input), ScoresByFractions(frozen.network, input));
    }
  }
}

TEST(ExactEvaluationTest, SortsChannelsInAscendingOrderAtEachPosition) {
  FrozenModel frozen =
      ModelOfLayers({.channels = 3, .height = 1, .width = 1}, {GroupSortLayer{.group_size = 3}});
  EXPECT_THAT(ScoresByChecker(frozen, {2.0F, -1.0F, 0.5F}), ElementsAre(-1, mpq_class(1, 2), 2));
  frozen =
      ModelOfLayers({.channels = 2, .height = 1, .width = 3}, {GroupSortLayer{.group_size = 2}});
  EXPECT_THAT(ScoresByChecker(frozen, {1.0F, 5.0F, 3.0F, 2.0F, 4.0F, -3.0F}),
              ElementsAre(1, 4, -3, 2, 5, 3));
}

TEST(ExactEvaluationTest, AveragesWithTheScaleOfTheFile) {
  const AveragePoolLayer pool{.window_height = 2, .window_width = 1, .scale = 0.1F};
  FrozenModel frozen = ModelOfLayers({.channels = 1, .height = 2, .width = 2}, {pool});
  const mpq_class scale(static_cast<double>(0.1F));
  EXPECT_THAT(ScoresByChecker(frozen, {1.0F, 2.0F, 4.0F, 8.0F}),
              ElementsAre(5 * scale, 10 * scale));
}

TEST(ExactEvaluationTest, TakesRootsExactlyOrJustBelow) {
  const L2NormPoolLayer pool{.window_height = 1, .window_width = 2};
  FrozenModel frozen = ModelOfLayers({.channels = 1, .height = 1, .width = 4}, {pool});
  EXPECT_THAT(ScoresByChecker(frozen, {-3.0F, 4.0F, 0.0F, 0.0F}), ElementsAre(5, 0));
  EXPECT_THAT(ScoresByChecker(frozen, {0x1p-149F, 0.0F, 0x1p127F, -0.0F}),
              ElementsAre(mpq_class(0x1p-149), mpq_class(0x1p127)));
  const mpq_class root = ScoresByChecker(frozen, {1.0F, 1.0F, 1.0F, 0.0F})[0];
  const mpq_class unit = ToRational(mpz_class(1), kRootExponent);
  EXPECT_LT(root * root, 2);
  EXPECT_GT((root + unit) * (root + unit), 2);
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
    return LargestScore(RowScores(
        model, FromBinary32(BytesOf(std::vector<float>{x}), Binary32Rule::kFinite).value()));
  };
  EXPECT_EQ(class_of(1.0F), 0U);
  EXPECT_EQ(class_of(0.0F), 0U);
  EXPECT_EQ(class_of(-0x1p-149F), 1U);
}

}  // namespace
}  // namespace lipserve::verify
