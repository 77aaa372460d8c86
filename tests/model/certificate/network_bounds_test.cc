// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/network_bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "model/certificate/certificate.h"
#include "model/certificate/convolution_norm.h"
#include "model/network/frozen_network.h"
#include "tests/model/dense_convolution.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Multiplies its single input by each of `factors` in turn.
FrozenNetwork Chain(const std::vector<float>& factors) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = 1};
  for (const float factor : factors) {
    network.layers.emplace_back(
        DenseLayer{.inputs = 1,
                   .outputs = 1,
                   .weights = {factor},
                   .bias = {},
                   .claimed_operator_norm_bound = static_cast<double>(factor) * (1.0 + 1e-9)});
  }
  return network;
}

std::string ErrorOf(const FrozenNetwork& network) {
  const auto bounds = NetworkBounds::Create(network);
  EXPECT_EQ(bounds.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(bounds.status().message());
}

// An input may have the norm 2^139, so factors may multiply to 2^111 before a number reaches 2^250.
TEST(NetworkBoundsTest, TakesWeightsUpToTheLimitOfTheProofAndRefusesThoseBeyond) {
  const float below = std::nextafter(0x1p111F, 0.0F);
  EXPECT_TRUE(NetworkBounds::Create(Chain({below})).ok());
  EXPECT_TRUE(NetworkBounds::Create(Chain({0x1p100F, 0x1p10F})).ok());
  EXPECT_TRUE(NetworkBounds::Create(Chain({0x1p-100F, 0x1p120F, 0x1p90F})).ok());
  EXPECT_THAT(ErrorOf(Chain({0x1p111F})), HasSubstr("layer 0 (dense 1 -> 1): its numbers"));
  EXPECT_THAT(ErrorOf(Chain({0x1p100F, 0x1p11F})),
              AllOf(HasSubstr("layer 1"), HasSubstr("expected at most 2^250")));
  // Refused where it happens, though a later layer would scale it down again.
  EXPECT_THAT(ErrorOf(Chain({0x1p100F, 0x1p20F, 0x1p-60F})), HasSubstr("layer 1"));
}

TEST(NetworkBoundsTest, BiasesCountTowardsTheLimit) {
  FrozenNetwork network = Chain({0x1p-100F, 0x1p120F, 0x1p10F});
  EXPECT_TRUE(NetworkBounds::Create(network).ok());
  std::get<DenseLayer>(network.layers[0]).bias = {0x1p127F};
  EXPECT_THAT(ErrorOf(network), HasSubstr("layer 2"));
}

TEST(NetworkBoundsTest, RefusesClaimsThatAreNoBound) {
  for (const double claim : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity(),
                             std::nextafter(3.0, 0.0)}) {
    FrozenNetwork network = Chain({2.0F, 3.0F});
    std::get<DenseLayer>(network.layers[1]).claimed_operator_norm_bound = claim;
    EXPECT_THAT(ErrorOf(network), HasSubstr("layer 1 (dense 1 -> 1): the file claims")) << claim;
  }
}

// With 2^22 inputs a float32 sum may err by a third of its terms: useless to decide by, but a
// bound.
TEST(NetworkBoundsTest, TheErrorBoundIsStillFiniteForTheLargestSizes) {
  constexpr std::size_t kLargest = std::size_t{1} << 22;
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = kLargest};
  network.layers.emplace_back(DenseLayer{.inputs = kLargest,
                                         .outputs = 1,
                                         .weights = std::vector<float>(kLargest, 0x1p-11F),
                                         .bias = {},
                                         .claimed_operator_norm_bound = 1.0 + 1e-6});
  ASSERT_TRUE(CheckNetwork(network).ok());
  const auto bounds = NetworkBounds::Create(network);
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  const std::vector<Upper> norms = {Upper(1.0)};
  const Certifier certifier(*bounds);
  const double error32 = certifier.ScoreDifferenceError(0, 1, norms, Arithmetic::kFloat32).value();
  EXPECT_GT(error32, 0.25);
  EXPECT_LT(error32, 0.5);
  EXPECT_LT(certifier.ScoreDifferenceError(0, 1, norms, Arithmetic::kFloat64).value(), 1e-9);
}

ConvolutionLayer Proven(ConvolutionLayer layer) {
  layer.claimed_operator_norm_bound = *BoundConvolutionNorm(layer);
  return layer;
}

// Every kind of layer: [2, 8, 8] -> convolution [4, 8, 8] -> sort -> average pool [4, 4, 4] ->
// convolution with reflection -> L2-norm pool [4, 2, 2] -> flatten -> dense -> 3 scores.
FrozenNetwork EveryKind() {
  std::mt19937_64 random(1);
  FrozenNetwork network;
  network.input_shape = {.channels = 2, .height = 8, .width = 8};
  network.layers = {
      Proven(RandomConvolution(random, {2, 8, 8}, 4, SameAxis(3))),
      GroupSortLayer{.group_size = 2},
      AveragePoolLayer{.window_height = 2, .window_width = 2, .scale = 0.5F},
      Proven(RandomConvolution(random, {4, 4, 4}, 4, SameAxis(3), PaddingMode::kReflect)),
      L2NormPoolLayer{.window_height = 2, .window_width = 2},
      FlattenLayer{},
      RandomDense(random, 16, 3, 0.1),
  };
  EXPECT_TRUE(CheckNetwork(network).ok()) << CheckNetwork(network);
  return network;
}

TEST(NetworkBoundsTest, EveryRoundingLayerCounts) {
  const FrozenNetwork network = EveryKind();
  const auto bounds = NetworkBounds::Create(network);
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  ASSERT_EQ(bounds->hidden().size(), 4U);
  EXPECT_EQ(bounds->hidden()[0].fan_in, 18U);
  EXPECT_EQ(bounds->hidden()[1].fan_in, 4U);
  EXPECT_EQ(bounds->hidden()[2].outputs, 64U);
  EXPECT_EQ(bounds->hidden()[3].outputs, 16U);
  const double first = std::get<ConvolutionLayer>(network.layers[0]).claimed_operator_norm_bound;
  const double second = std::get<ConvolutionLayer>(network.layers[3]).claimed_operator_norm_bound;
  EXPECT_GE(bounds->hidden_lipschitz().value(), first * second);
  EXPECT_LE(bounds->hidden_lipschitz().value(), first * second * (1.0 + 1e-14));
  ASSERT_EQ(bounds->layer_lipschitz().size(), network.layers.size());
  EXPECT_EQ(bounds->layer_lipschitz()[0], first);
  EXPECT_EQ(bounds->layer_lipschitz()[1], 1.0);
  EXPECT_NEAR(bounds->layer_lipschitz()[2], 1.0, 1e-15);
  EXPECT_EQ(bounds->layer_lipschitz()[3], second);
  EXPECT_EQ(bounds->layer_lipschitz()[4], 1.0);
}

TEST(NetworkBoundsTest, AFalseClaimOfAConvolutionIsRefusedByName) {
  FrozenNetwork network = EveryKind();
  std::get<ConvolutionLayer>(network.layers[3]).claimed_operator_norm_bound *= 1.0 - 1e-9;
  const absl::Status status = NetworkBounds::Create(network).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("layer 3 (convolution [4, 4, 4] -> [4, 4, 4], 3x3, reflect padding): the "
                        "file claims an operator norm of at most"));
}

// Multiplies two numbers by 2^exponent.
DenseLayer Scaling(int exponent) {
  const float w = std::ldexp(1.0F, exponent);
  DenseLayer dense{.inputs = 2,
                   .outputs = 2,
                   .weights = {w, 0.0F, 0.0F, w},
                   .bias = {},
                   .claimed_operator_norm_bound = std::ldexp(1.0 + 1e-9, exponent)};
  return dense;
}

FrozenNetwork ScalingNetwork(const std::vector<FrozenLayer>& layers) {
  FrozenNetwork network;
  network.input_shape = {.channels = 2, .height = 1, .width = 1};
  network.layers = layers;
  EXPECT_TRUE(CheckNetwork(network).ok()) << CheckNetwork(network);
  return network;
}

TEST(NetworkBoundsTest, PoolingsCountTowardsTheLimit) {
  FrozenNetwork pooled;
  pooled.input_shape = {.channels = 1, .height = 2, .width = 1};
  pooled.layers = {AveragePoolLayer{.window_height = 2, .window_width = 1, .scale = 0x1p120F},
                   FlattenLayer{},
                   DenseLayer{.inputs = 1,
                              .outputs = 1,
                              .weights = {1.0F},
                              .bias = {},
                              .claimed_operator_norm_bound = 1.0 + 1e-9}};
  ASSERT_TRUE(CheckNetwork(pooled).ok());
  EXPECT_THAT(std::string(NetworkBounds::Create(pooled).status().message()),
              HasSubstr("layer 0 (average pool"));
}

TEST(NetworkBoundsTest, GrowthAfterAnL2NormPoolMustNotReachItsRounding) {
  // 2^600 in all, but small numbers before: every number stays below 2^250.
  std::vector<FrozenLayer> layers(5, Scaling(-120));
  const std::vector<FrozenLayer> growth(5, Scaling(120));
  layers.insert(layers.end(), growth.begin(), growth.end());
  EXPECT_TRUE(NetworkBounds::Create(ScalingNetwork(layers)).ok());
  layers.insert(layers.begin() + 5, L2NormPoolLayer{});
  const absl::Status status = NetworkBounds::Create(ScalingNetwork(layers)).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("since the first L2-norm pool"));
  layers.erase(layers.begin() + 9, layers.end());
  EXPECT_TRUE(NetworkBounds::Create(ScalingNetwork(layers)).ok());
}

// Factors 2^exponent, in steps that float32 has.
void AppendFactors(int exponent, std::vector<FrozenLayer>& layers) {
  while (exponent != 0) {
    const int step = std::clamp(exponent, -120, 120);
    layers.emplace_back(
        AveragePoolLayer{.window_height = 1, .window_width = 1, .scale = std::ldexp(1.0F, step)});
    exponent -= step;
  }
}

// Whether pools of 2^14 outputs each, with these powers of two after each, are taken.
bool TakesPools(const std::vector<int>& growth) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 128, .width = 128};
  AppendFactors(-600, network.layers);
  for (const int exponent : growth) {
    network.layers.emplace_back(L2NormPoolLayer{.window_height = 1, .window_width = 1});
    AppendFactors(exponent, network.layers);
  }
  network.layers.emplace_back(FlattenLayer{});
  constexpr std::size_t kNumbers = std::size_t{1} << 14;
  network.layers.emplace_back(DenseLayer{.inputs = kNumbers,
                                         .outputs = 1,
                                         .weights = std::vector<float>(kNumbers, 0x1p-8F),
                                         .bias = {},
                                         .claimed_operator_norm_bound = 0.5 * (1.0 + 1e-6)});
  EXPECT_TRUE(CheckNetwork(network).ok()) << CheckNetwork(network);
  return NetworkBounds::Create(network).ok();
}

// The errors of a pool's 2^14 roots together are 2^7 units of 2^-2048.
TEST(NetworkBoundsTest, AllRootsOfAllPoolsCountTowardsTheirRounding) {
  EXPECT_TRUE(TakesPools({492}));
  EXPECT_FALSE(TakesPools({493}));
  EXPECT_TRUE(TakesPools({482, 10}));
  EXPECT_FALSE(TakesPools({483, 10}));
  EXPECT_FALSE(TakesPools({10, 483}));
}

}  // namespace
}  // namespace lipserve
