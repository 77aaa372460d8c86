// SPDX-License-Identifier: Apache-2.0
#include "client/verify/proven_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <variant>
#include <vector>

#include "client/verify/exact_evaluation.h"
#include "tests/verify/convolutional_network.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {
namespace {

using ::testing::HasSubstr;

std::string ProofError(FrozenModel frozen) {
  const auto proven = ProvenModel::Prove(ParseModel(BytesOf(frozen)).value());
  return proven.ok() ? "" : std::string(proven.status().message());
}

TEST(ProvenModelTest, RefusesABoundBelowTheNormNamingTheLayer) {
  const FrozenModel frozen = ModelOf(RandomNetwork(1, {6, 4, 3}));
  for (const std::size_t layer : {1U, 3U}) {
    FrozenModel lowered = frozen;
    std::get<DenseLayer>(lowered.network.layers[layer]).claimed_operator_norm_bound *= 1.0 - 1e-9;
    EXPECT_THAT(ProofError(lowered), HasSubstr("layer " + std::to_string(layer) + " (dense "));
  }
}

TEST(ProvenModelTest, RefusesAConvolutionWhoseNormIsNotTheClaimedOne) {
  const FrozenModel frozen = ModelOf(ConvolutionalNetwork(2, false));
  EXPECT_EQ(ProofError(frozen), "");
  for (const std::size_t layer : {0U, 2U}) {
    const std::string place = "layer " + std::to_string(layer) + " (convolution [";
    FrozenModel changed = frozen;
    auto& convolution = std::get<ConvolutionLayer>(changed.network.layers[layer]);
    convolution.claimed_operator_norm_bound *= 1.0 - 2e-9;
    EXPECT_THAT(ProofError(changed), HasSubstr(place));
    EXPECT_THAT(ProofError(changed), HasSubstr("that the proof does not confirm"));
    convolution.claimed_operator_norm_bound *= 0.01;
    EXPECT_THAT(ProofError(changed), HasSubstr("below the length of a row or column: it is false"));
  }
}

// A longer kernel, or the same kernel on another border, has another norm.
TEST(ProvenModelTest, RefusesAConvolutionWhoseWeightsOrPaddingChange) {
  const FrozenModel frozen = ModelOf(ConvolutionalNetwork(2, false));
  FrozenModel changed = frozen;
  auto& first = std::get<ConvolutionLayer>(changed.network.layers[0]);
  for (float& weight : first.weights) weight *= 1.0001F;
  EXPECT_THAT(ProofError(changed), HasSubstr("layer 0 (convolution"));
  int larger = 0;
  for (const std::size_t layer : {0U, 2U}) {
    for (const auto mode : {lipserve::PaddingMode::kReplicate, lipserve::PaddingMode::kCircular}) {
      changed = frozen;
      auto& convolution = std::get<ConvolutionLayer>(changed.network.layers[layer]);
      convolution.padding_mode = mode;
      if (NormOf(convolution) <= convolution.claimed_operator_norm_bound) continue;
      EXPECT_THAT(ProofError(changed), HasSubstr("layer " + std::to_string(layer) + " (conv"));
      ++larger;
    }
  }
  EXPECT_GT(larger, 0);
}

TEST(ProvenModelTest, TheConstantsOfAllHiddenLayersDivideTheRadius) {
  FrozenModel dense = ModelOf(RandomNetwork(1, {6, 4, 4, 3}));
  mpq_class product = 1;
  for (const std::size_t layer : {1U, 3U}) {
    product *=
        mpq_class(std::get<DenseLayer>(dense.network.layers[layer]).claimed_operator_norm_bound);
  }
  EXPECT_EQ(Proven(dense).hidden_lipschitz_squared(), product * product);

  for (const bool with_l2_norm_pool : {false, true}) {
    FrozenModel frozen = ModelOf(ConvolutionalNetwork(2, with_l2_norm_pool));
    product = 1;
    for (const std::size_t layer : {0U, 2U}) {
      product *= mpq_class(
          std::get<ConvolutionLayer>(frozen.network.layers[layer]).claimed_operator_norm_bound);
    }
    // Average pooling with the scale 0.5 over two numbers.
    EXPECT_EQ(Proven(frozen).hidden_lipschitz_squared(), product * product * mpq_class(1, 2));
  }
}

// Of an activation of so many channels.
mpq_class LipschitzSquaredOf(const FrozenLayer& activation, std::size_t channels = 2) {
  FrozenNetwork network{.input_shape = {.channels = channels, .height = 1, .width = 1},
                        .layers = {activation}};
  const std::size_t size = OutputShape(activation, network.input_shape).size();
  network.layers.emplace_back(DenseLayer{.inputs = size,
                                         .outputs = 1,
                                         .weights = std::vector<float>(size, 1.0F),
                                         .bias = {},
                                         .claimed_operator_norm_bound = 2.0 + 1e-9});
  FrozenModel frozen = ModelOf(std::move(network));
  return Proven(frozen).hidden_lipschitz_squared();
}

TEST(ProvenModelTest, ActivationsAreAsSteepAsTheirNumbersSay) {
  EXPECT_EQ(LipschitzSquaredOf(AbsLayer{}), 1);
  EXPECT_EQ(LipschitzSquaredOf(MaxMinLayer{}), 1);
  EXPECT_EQ(LipschitzSquaredOf(ConcatenatedReluLayer{}), 1);
  EXPECT_EQ(LipschitzSquaredOf(PReluLayer{{-1.0F, 0.5F}}), 1);
  EXPECT_EQ(LipschitzSquaredOf(PReluLayer{{0.5F, -3.0F}}), 9);
  EXPECT_EQ(LipschitzSquaredOf(HouseholderLayer{{1.0F, -1.0F}}), 1);
  EXPECT_EQ(LipschitzSquaredOf(HouseholderLayer{{0.5F, 0.5F}}), 1);
  EXPECT_EQ(LipschitzSquaredOf(HouseholderLayer{{2.0F, -1.0F}}), 16);  // (5 - 1)^2
  EXPECT_EQ(LipschitzSquaredOf(HouseholderLayer{{2.0F, -1.0F, 0.5F, 0.5F}}, 4), 16);
}

// Of the norm `norm`, claimed as such.
ConvexPotentialLayer PotentialOf(float norm) {
  return {DenseLayer{.inputs = 2,
                     .outputs = 1,
                     .weights = {norm, 0.0F},
                     .bias = {},
                     .claimed_operator_norm_bound = static_cast<double>(norm)}};
}

TEST(ProvenModelTest, AConvexPotentialIsAsSteepAsTheNormInItSays) {
  EXPECT_EQ(LipschitzSquaredOf(PotentialOf(0.5F)), 1);
  EXPECT_EQ(LipschitzSquaredOf(PotentialOf(1.375F)), 1);
  EXPECT_EQ(LipschitzSquaredOf(PotentialOf(2.0F)), 9);  // (4 - 1)^2
}

TEST(ProvenModelTest, RefusesAFalseClaimInAConvexPotential) {
  FrozenModel frozen = ModelOf(RandomPotentialNetwork(2, 3));
  EXPECT_EQ(ProofError(frozen), "");
  for (FrozenLayer& layer : frozen.network.layers) {
    auto* const potential = std::get_if<ConvexPotentialLayer>(&layer);
    if (potential == nullptr) continue;
    const ConvexPotentialLayer kept = *potential;
    std::visit([](auto& inner) { inner.claimed_operator_norm_bound *= 1.0 - 1e-6; },
               potential->inner);
    EXPECT_THAT(ProofError(frozen), HasSubstr("(convex potential of "));
    *potential = kept;
  }
}

TEST(ProvenModelTest, TheErrorOfRootsGrowsWithSteepActivations) {
  FrozenNetwork network{
      .input_shape = {.channels = 1, .height = 1, .width = 4},
      .layers = {L2NormPoolLayer{.window_height = 1, .window_width = 4}, PReluLayer{{-7.0F}}}};
  network.layers.emplace_back(DenseLayer{.inputs = 1,
                                         .outputs = 1,
                                         .weights = {5.0F},
                                         .bias = {},
                                         .claimed_operator_norm_bound = 5.0});
  FrozenModel frozen = ModelOf(std::move(network));
  EXPECT_EQ(Proven(frozen).difference_error(), 2 * 5 * 7 * ToRational(mpz_class(1), kRootExponent));
}

TEST(ProvenModelTest, ScoresWithoutRootsHaveNoError) {
  FrozenModel frozen = ModelOf(ConvolutionalNetwork(2, false));
  EXPECT_EQ(Proven(frozen).difference_error(), 0);
}

// A pooling of 2 x 2 numbers to 4 roots, then a dense layer of norm 3, then 4 roots to 1.
FrozenModel ModelWithTwoL2NormPools() {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 4, .width = 4};
  network.layers.emplace_back(L2NormPoolLayer{.window_height = 2, .window_width = 2});
  network.layers.emplace_back(ConvolutionLayer{.input = {.channels = 1, .height = 2, .width = 2},
                                               .output_channels = 1,
                                               .groups = 1,
                                               .vertical = {},
                                               .horizontal = {},
                                               .weights = {3.0F},
                                               .bias = {0.1F},
                                               .claimed_operator_norm_bound = 3.0 * (1 + 1e-9)});
  network.layers.emplace_back(AveragePoolLayer{.window_height = 2, .window_width = 1, .scale = 7});
  network.layers.emplace_back(L2NormPoolLayer{.window_height = 1, .window_width = 2});
  network.layers.emplace_back(DenseLayer{.inputs = 1,
                                         .outputs = 3,
                                         .weights = {5.0F, 0.0F, 0.0F},
                                         .bias = {},
                                         .claimed_operator_norm_bound = 5.0});
  return ModelOf(std::move(network));
}

TEST(ProvenModelTest, TheErrorOfRootsGrowsWithTheConstantsOfLaterLayers) {
  FrozenModel frozen = ModelWithTwoL2NormPools();
  const mpq_class unit = ToRational(mpz_class(1), kRootExponent);
  // 4 roots; the convolution; the average pooling, whose constant 7 sqrt(2) is rounded up; 1 root.
  const mpq_class hidden = 2 * unit * mpq_class(3.0 * (1 + 1e-9)) * 14 + unit;
  EXPECT_EQ(Proven(frozen).difference_error(), 2 * 5 * hidden);
}

TEST(ProvenModelTest, NoScoreErrsByMoreThanTheBound) {
  std::mt19937_64 random(3);
  for (const bool two_pools : {false, true}) {
    FrozenModel frozen =
        two_pools ? ModelWithTwoL2NormPools() : ModelOf(ConvolutionalNetwork(2, true));
    const ProvenModel proven = Proven(frozen);
    mpq_class largest = 0;
    for (int trial = 0; trial < 20; ++trial) {
      const auto input = RandomFloats(random, frozen.network.input_shape.size(), 1.0);
      const ExactVector computed =
          ScoresOf(proven.model(), FromBinary32(BytesOf(input), Binary32Rule::kFinite).value());
      // Roots to 2^-4096: their error is nothing beside that of 2^-2048.
      const std::vector<mpq_class> real = ScoresByFractions(frozen.network, input, 4096);
      for (std::size_t i = 0; i < real.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          const mpq_class difference =
              ToRational(mpz_class(computed.numbers[i] - computed.numbers[j]), computed.exponent);
          largest = std::max(largest, mpq_class(abs(difference - (real[i] - real[j]))));
        }
      }
    }
    EXPECT_LT(largest, proven.difference_error());
    EXPECT_GT(100 * largest, proven.difference_error());
  }
}

}  // namespace
}  // namespace lipserve::verify
