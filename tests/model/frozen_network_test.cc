// SPDX-License-Identifier: Apache-2.0
#include "model/network/frozen_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

DenseLayer& Dense(FrozenNetwork& network, std::size_t layer) {
  return std::get<DenseLayer>(network.layers[layer]);
}

std::string ErrorOf(const FrozenNetwork& network) {
  const absl::Status status = CheckNetwork(network);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

class CheckNetworkTest : public ::testing::Test {
 protected:
  FrozenNetwork network_ = RandomNetwork(1, {6, 4, 3});
};

TEST_F(CheckNetworkTest, AcceptsAWellFormedNetwork) {
  EXPECT_TRUE(CheckNetwork(network_).ok());
  EXPECT_EQ(NumClasses(network_), 3U);
}

TEST_F(CheckNetworkTest, OneScoreMeansTwoClasses) {
  const FrozenNetwork binary = RandomNetwork(1, {6, 1});
  EXPECT_EQ(NumScores(binary), 1U);
  EXPECT_EQ(NumClasses(binary), 2U);
}

TEST_F(CheckNetworkTest, RefusesSizesThatDoNotChain) {
  Dense(network_, 3).inputs = 5;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("layer 3 (dense 5 -> 3 with bias): inputs: expected 4"));
}

TEST_F(CheckNetworkTest, RefusesMissingWeights) {
  Dense(network_, 1).weights.pop_back();
  EXPECT_THAT(ErrorOf(network_), HasSubstr("weights: expected 24 numbers, got 23"));
}

TEST_F(CheckNetworkTest, RefusesABiasOfTheWrongLength) {
  Dense(network_, 1).bias.push_back(0.0F);
  EXPECT_THAT(ErrorOf(network_), HasSubstr("bias: expected 4 numbers, got 5"));
}

TEST_F(CheckNetworkTest, RefusesNanInfinityAndSubnormalsNamingTheirPlace) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e-40F}) {
    FrozenNetwork network = network_;
    Dense(network, 1).weights[7] = bad;
    EXPECT_THAT(ErrorOf(network), HasSubstr("weights number 7"));
    network = network_;
    Dense(network, 1).bias[2] = bad;
    EXPECT_THAT(ErrorOf(network), HasSubstr("bias number 2"));
  }
}

TEST_F(CheckNetworkTest, RefusesGroupsThatDoNotDivide) {
  for (const std::size_t bad : {0U, 1U, 3U}) {
    network_.layers[2] = GroupSortLayer{.group_size = bad};
    EXPECT_THAT(ErrorOf(network_), HasSubstr("group_size: expected at least 2 and a divisor of 4"));
  }
}

TEST_F(CheckNetworkTest, RefusesANetworkThatDoesNotEndDense) {
  network_.layers.pop_back();
  EXPECT_THAT(ErrorOf(network_), HasSubstr("expected the last to be dense, got group sort 2"));
  network_.layers.clear();
  EXPECT_THAT(ErrorOf(network_), HasSubstr("no layer at all"));
}

// 2^22 is where gamma of a float32 sum, and with it the whole proof, is still finite with room.
TEST_F(CheckNetworkTest, TakesTheLargestDimensionAndRefusesOneMore) {
  constexpr std::size_t kLargest = std::size_t{1} << 22;
  const auto with_inputs = [](std::size_t inputs) {
    FrozenNetwork network;
    network.input_shape = {.channels = 1, .height = 1, .width = inputs};
    network.layers.emplace_back(DenseLayer{.inputs = inputs,
                                           .outputs = 1,
                                           .weights = std::vector<float>(inputs, 1.0F),
                                           .bias = {},
                                           .claimed_operator_norm_bound = 1.0});
    return network;
  };
  EXPECT_TRUE(CheckNetwork(with_inputs(kLargest)).ok());
  EXPECT_THAT(ErrorOf(with_inputs(kLargest + 1)), HasSubstr("input shape"));

  FrozenNetwork network = with_inputs(1);
  Dense(network, 0).outputs = kLargest + 1;
  Dense(network, 0).weights.assign(kLargest + 1, 1.0F);
  EXPECT_THAT(ErrorOf(network), HasSubstr("outputs: expected 1 to 4194304, got 4194305"));
}

TEST_F(CheckNetworkTest, TakesAsManyScoresAsTheProofComparesAndRefusesOneMore) {
  for (const std::size_t scores : {2048U, 2049U}) {
    Dense(network_, 3).outputs = scores;
    Dense(network_, 3).weights.assign(4 * scores, 1.0F);
    Dense(network_, 3).bias.clear();
    if (scores == 2048) {
      EXPECT_TRUE(CheckNetwork(network_).ok());
    } else {
      EXPECT_THAT(ErrorOf(network_), HasSubstr("expected at most 2048 scores, got 2049"));
    }
  }
}

TEST_F(CheckNetworkTest, RefusesShapesThatAreEmptyOrOverflow) {
  network_.input_shape.height = 0;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("input shape"));
  network_.input_shape = {.channels = std::size_t{1} << 22,
                          .height = std::size_t{1} << 22,
                          .width = std::size_t{1} << 22};
  EXPECT_THAT(ErrorOf(network_), HasSubstr("input shape"));
}

}  // namespace
}  // namespace lipserve
