// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/network_bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "model/certificate/certificate.h"
#include "model/network/frozen_network.h"

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

}  // namespace
}  // namespace lipserve
