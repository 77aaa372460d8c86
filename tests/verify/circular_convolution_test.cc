// SPDX-License-Identifier: Apache-2.0
#include "client/verify/norms/circular_convolution.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

#include "tests/verify/convolutional_network.h"
#include "tests/verify/frozen_model_bytes.h"

namespace lipserve::verify {
namespace {

// Whether circles prove that the norm is at most `claim`.
bool Proves(const ConvolutionLayer& layer, double claim) {
  const Dyadic norm = FromBinary64(std::bit_cast<std::uint64_t>(claim)).value();
  return CircularConvolutionProves(CheckedConvolution(layer),
                                   {norm.number * norm.number, 2 * norm.exponent});
}

lipserve::WindowAxis Axis(std::size_t size, std::size_t stride, std::size_t padding) {
  return {.size = size,
          .stride = stride,
          .dilation = 1,
          .padding_before = padding,
          .padding_after = padding};
}

TEST(CircularConvolutionTest, NeverProvesAClaimBelowTheNorm) {
  std::mt19937_64 random(12);
  int proven = 0;
  for (int trial = 0; trial < 60; ++trial) {
    const auto mode =
        trial % 2 == 0 ? lipserve::PaddingMode::kZero : lipserve::PaddingMode::kCircular;
    const ConvolutionLayer layer = WithRandomWeights(random, RandomGeometry(random, mode));
    const double norm = NormOf(layer);
    if (norm == 0.0) continue;  // every output reads the padding
    EXPECT_FALSE(Proves(layer, norm * (1.0 - 1e-9))) << DescribeLayer(layer);
    proven += Proves(layer, 1.2 * norm) ? 1 : 0;
  }
  EXPECT_GT(proven, 10);
}

TEST(CircularConvolutionTest, IsExactForCircularPadding) {
  std::mt19937_64 random(13);
  for (const std::size_t stride : {1U, 2U}) {
    const ConvolutionLayer layer =
        WithRandomWeights(random, {.input = {.channels = 2, .height = 4, .width = 4},
                                   .output_channels = 2,
                                   .groups = 1,
                                   .vertical = Axis(3, stride, 1),
                                   .horizontal = Axis(3, stride, 1),
                                   .padding_mode = lipserve::PaddingMode::kCircular,
                                   .weights = {},
                                   .bias = {}});
    const double norm = NormOf(layer);
    EXPECT_TRUE(Proves(layer, norm * (1.0 + 1e-11)));
    EXPECT_FALSE(Proves(layer, norm * (1.0 - 1e-12)));
  }
}

// A wave that runs down as it runs left: one half of the frequencies along each axis together do
// not hold it. Its norm is the sum of its squares, 12.5.
TEST(CircularConvolutionTest, LooksAtWavesOfEveryDirection) {
  for (const int direction : {1, 4}) {
    ConvolutionLayer layer{.input = {.channels = 1, .height = 5, .width = 5},
                           .output_channels = 1,
                           .groups = 1,
                           .vertical = Axis(5, 1, 2),
                           .horizontal = Axis(5, 1, 2),
                           .padding_mode = lipserve::PaddingMode::kCircular,
                           .weights = {},
                           .bias = {}};
    for (int k = 0; k < 25; ++k) {
      const int turns = k / 5 + direction * (k % 5);
      layer.weights.push_back(
          static_cast<float>(std::cos(2.0 * std::numbers::pi * static_cast<double>(turns) / 5.0)));
    }
    EXPECT_FALSE(Proves(layer, 12.4)) << direction;
    EXPECT_TRUE(Proves(layer, 12.6)) << direction;
  }
}

// Circles of the image's own length would prove 3.802 for this kernel on 7 positions, where the
// norm is 2 + 2 cos(pi / 8) = 3.848: certificate.md, section 4.
TEST(CircularConvolutionTest, ACircleIsLongerThanTheImageByItsPadding) {
  const ConvolutionLayer layer{.input = {.channels = 1, .height = 1, .width = 7},
                               .output_channels = 1,
                               .groups = 1,
                               .vertical = {},
                               .horizontal = Axis(3, 1, 1),
                               .padding_mode = lipserve::PaddingMode::kZero,
                               .weights = {1.0F, -2.0F, 1.0F},
                               .bias = {}};
  EXPECT_FALSE(Proves(layer, 3.8477));
  EXPECT_FALSE(Proves(layer, 3.9999));
  EXPECT_TRUE(Proves(layer, 4.0 + 1e-10));
}

TEST(CircularConvolutionTest, SaysNothingOfBordersThatFitNoCircle) {
  std::mt19937_64 random(14);
  for (const auto mode : {lipserve::PaddingMode::kReflect, lipserve::PaddingMode::kReplicate}) {
    ConvolutionLayer layer =
        WithRandomWeights(random, {.input = {.channels = 1, .height = 4, .width = 4},
                                   .output_channels = 1,
                                   .groups = 1,
                                   .vertical = Axis(3, 1, 0),
                                   .horizontal = Axis(3, 1, 1),
                                   .padding_mode = mode,
                                   .weights = {},
                                   .bias = {}});
    EXPECT_FALSE(Proves(layer, 1e6));
    layer.horizontal = Axis(3, 1, 0);
    EXPECT_TRUE(Proves(layer, 1e6));  // there is nothing outside
  }
}

}  // namespace
}  // namespace lipserve::verify
