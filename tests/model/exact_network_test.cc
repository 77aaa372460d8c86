// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

FrozenNetwork OneRow(std::vector<float> weights, std::vector<float> bias) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = weights.size()};
  network.layers.emplace_back(DenseLayer{.inputs = weights.size(),
                                         .outputs = 1,
                                         .weights = std::move(weights),
                                         .bias = std::move(bias),
                                         .claimed_operator_norm_bound = 0.0});
  return network;
}

TEST(ExactNetworkTest, AgreesWithQuadruplePrecisionWhereThatIsClear) {
  std::mt19937_64 random(1);
  for (const auto& sizes : {std::vector<std::size_t>{20, 1}, {20, 8, 1}, {30, 16, 8, 5}}) {
    const FrozenNetwork network = RandomNetwork(sizes.size(), sizes);
    const ExactNetwork exact(network);
    for (int trial = 0; trial < 100; ++trial) {
      const auto x = RandomFloats(random, sizes.front(), 1.0);
      EXPECT_EQ(exact.ClassOf(x), QuadArgmax(QuadClassScores(network, x)));
    }
  }
}

// 2^60 + 2^-60 - 2^60: float64 sees zero, the truth is positive or negative.
TEST(ExactNetworkTest, SeesWhatCancellationHidesFromFloat64) {
  const FrozenNetwork network = OneRow({0x1p60F, 1.0F, 0x1p60F}, {});
  const ExactNetwork exact(network);
  EXPECT_EQ(exact.ClassOf(std::vector<float>{1.0F, 0x1p-60F, -1.0F}), 0U);
  EXPECT_EQ(exact.ClassOf(std::vector<float>{1.0F, -0x1p-60F, -1.0F}), 1U);
  EXPECT_EQ(exact.ClassOf(std::vector<float>{1.0F, 0.0F, -1.0F}), 0U);  // a tie
}

TEST(ExactNetworkTest, HandlesSubnormalInputsAndTheLargestOnes) {
  const FrozenNetwork network = OneRow({1.0F, 1.0F}, {-0x1p-126F});
  const ExactNetwork exact(network);
  EXPECT_EQ(exact.ClassOf(std::vector<float>{0x1p-127F, 0x1p-127F}), 0U);
  EXPECT_EQ(exact.ClassOf(std::vector<float>{0x1p-127F, 0x1.fffff8p-128F}), 1U);
  EXPECT_EQ(exact.ClassOf(std::vector<float>{0x1.fffffep127F, -0x1.fffffep127F}), 1U);
  EXPECT_EQ(exact.ClassOf(std::vector<float>{0.0F, 0.0F}), 1U);
}

TEST(ExactNetworkTest, TiesGoToTheLowestIndex) {
  FrozenNetwork network = RandomNetwork(3, {4, 3});
  auto& dense = std::get<DenseLayer>(network.layers[1]);
  std::fill(dense.weights.begin(), dense.weights.end(), 0.0F);
  dense.bias = {-1.0F, 2.0F, 2.0F};
  EXPECT_EQ(ExactNetwork(network).ClassOf(std::vector<float>{1.0F, 2.0F, 3.0F, 4.0F}), 1U);
}

}  // namespace
}  // namespace lipserve
