// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/convolution_norms.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lipserve {
namespace {

ConvolutionLayer Box(std::size_t length, std::size_t size) {
  ConvolutionLayer layer{.input = {.channels = 1, .height = length, .width = 1},
                         .output_channels = 1,
                         .groups = 1,
                         .vertical = {.size = size, .padding_after = size - 1},
                         .horizontal = {},
                         .padding_mode = PaddingMode::kCircular,
                         .weights = std::vector<float>(size, 1.0F),
                         .bias = {},
                         .claimed_operator_norm_bound = 0.0};
  return layer;
}

TEST(ConvolutionNormsTest, TheLowerBoundIsCloseToKnownNorms) {
  // A box on a circle: the constant vector is stretched by the number of taps.
  EXPECT_NEAR(SparseConvolution(Box(300, 5)).NormFromBelow(1, 40), 5.0, 1e-2);
  EXPECT_LE(SparseConvolution(Box(300, 5)).NormFromBelow(1, 40), 5.0);
  // [1, -2, 1] with zeros around n pixels: 2 + 2 cos(pi / (n + 1)).
  ConvolutionLayer differences = Box(40, 3);
  differences.vertical = {.size = 3, .padding_before = 1, .padding_after = 1};
  differences.padding_mode = PaddingMode::kZero;
  differences.weights = {1.0F, -2.0F, 1.0F};
  const double norm = 2.0 + 2.0 * std::cos(M_PI / 41.0);
  EXPECT_NEAR(SparseConvolution(differences).NormFromBelow(2, 40), norm, 1e-9);
  EXPECT_LE(SparseConvolution(differences).NormFromBelow(2, 40), norm);
  differences.weights = {0.0F, 0.0F, 0.0F};
  EXPECT_EQ(SparseConvolution(differences).NormFromBelow(3, 40), 0.0);
}

TEST(ConvolutionNormsTest, NoProvenNormOfALargeConvolutionIsBelowTheTruth) {
  std::mt19937_64 random(14);
  std::map<std::string, NormTally> tallies;
  std::vector<std::string> violations;
  for (std::uint64_t trial = 0; trial < 60; ++trial) {
    const std::size_t largest = trial % 2 == 0 ? 500 : 2000;
    AttackConvolutionNorm(RandomLargeConvolution(random, largest), trial, tallies, violations);
  }
  for (const std::string& violation : violations) ADD_FAILURE() << violation;
  ASSERT_EQ(tallies.size(), 3U);  // every method was attacked
  for (const auto& [name, tally] : tallies) {
    EXPECT_GE(tally.bounds, 10U) << name;
    EXPECT_LE(tally.smallest_gap, 1e-6) << name << ": the lower bounds are too weak to mean much";
  }
}

}  // namespace
}  // namespace lipserve
