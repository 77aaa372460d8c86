// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/layer_bounds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "model/certificate/convolution_norm.h"
#include "tests/model/dense_convolution.h"
#include "tests/model/quad_eigenvalue.h"

namespace lipserve {
namespace {

// What LayerBounds bounds, from |T| and b spelled out; || |T| || is QuadNorm.
struct BruteForce {
  double largest_row_norm = 0.0;
  double largest_row_norm1 = 0.0;
  double bias_norm = 0.0;
  double largest_bias = 0.0;
};

BruteForce Examine(const QuadMatrix& absolute, const std::vector<float>& bias_per_output) {
  BruteForce result;
  for (const auto& row : absolute) {
    Quad squares = 0;
    Quad sum = 0;
    for (const Quad value : row) {
      squares += value * value;
      sum += value;
    }
    result.largest_row_norm =
        std::max(result.largest_row_norm, static_cast<double>(QuadSqrt(squares)));
    result.largest_row_norm1 = std::max(result.largest_row_norm1, static_cast<double>(sum));
  }
  Quad squares = 0;
  for (const float b : bias_per_output) {
    squares += static_cast<Quad>(b) * b;
    result.largest_bias = std::max(result.largest_bias, std::fabs(static_cast<double>(b)));
  }
  result.bias_norm = static_cast<double>(QuadSqrt(squares));
  return result;
}

// bound >= exact, and not more than `factor` above it. Exact values carry 1e-14.
void ExpectBound(Upper bound, double exact, double factor, const char* what) {
  EXPECT_GE(bound.value(), exact * (1.0 - 2e-14)) << what;
  EXPECT_LE(bound.value(), exact * factor * (1.0 + 1e-8) + 1e-100) << what;
}

TEST(LayerBoundsTest, EveryMemberBoundsADenseLayer) {
  std::mt19937_64 random(1);
  for (const auto& [inputs, outputs] : {std::pair{1, 1}, {7, 3}, {3, 7}, {20, 20}}) {
    DenseLayer dense = RandomDense(random, static_cast<std::size_t>(inputs),
                                   static_cast<std::size_t>(outputs), 1.0);
    QuadMatrix absolute(dense.outputs, std::vector<Quad>(dense.inputs));
    for (std::size_t i = 0; i < dense.weights.size(); ++i) {
      absolute[i / dense.inputs][i % dense.inputs] = std::fabs(dense.weights[i]);
    }
    const LayerBounds bounds = BoundsOf(dense, {dense.inputs, 1, 1});
    const BruteForce exact = Examine(absolute, dense.bias);
    EXPECT_EQ(bounds.fan_in, dense.inputs);
    EXPECT_EQ(bounds.outputs, dense.outputs);
    EXPECT_EQ(bounds.operator_norm.value(), dense.claimed_operator_norm_bound);
    ExpectBound(bounds.absolute_norm, QuadNorm(absolute), 1.02, "absolute_norm");
    ExpectBound(bounds.largest_row_norm, exact.largest_row_norm, 1.0, "largest_row_norm");
    ExpectBound(bounds.largest_row_norm1, exact.largest_row_norm1, 1.0, "largest_row_norm1");
    ExpectBound(bounds.bias_norm, exact.bias_norm, 1.0, "bias_norm");
    ExpectBound(bounds.largest_bias, exact.largest_bias, 1.0, "largest_bias");
  }
}

TEST(LayerBoundsTest, EveryMemberBoundsAConvolution) {
  std::mt19937_64 random(2);
  for (std::size_t trial = 0; trial < 60; ++trial) {
    const PaddingMode mode = kModes[trial % 4];
    const std::size_t groups = 1 + random() % 2;
    const SampleShape input{.channels = 2 * groups, .height = 2 + random() % 4, .width = 4};
    ConvolutionLayer layer =
        RandomConvolution(random, input, groups * (1 + random() % 2), {}, mode, groups);
    layer.vertical = RandomAxis(random, mode, input.height, 2);
    layer.horizontal = RandomAxis(random, mode, input.width, 2);
    layer.weights = RandomFloats(random, layer.output_channels * layer.fan_in(), 1.0);
    layer.bias = RandomFloats(random, layer.output_channels, 1.0);
    layer.claimed_operator_norm_bound = *BoundConvolutionNorm(layer);
    SCOPED_TRACE(DescribeLayer(layer));
    const SampleShape output = layer.output();
    std::vector<float> bias;
    for (const float b : layer.bias) bias.insert(bias.end(), output.height * output.width, b);
    const LayerBounds bounds = BoundsOf(layer, input);
    const QuadMatrix absolute = DenseMatrix(layer, Weights::kAbsolute);
    const BruteForce exact = Examine(absolute, bias);
    EXPECT_EQ(bounds.fan_in, layer.fan_in());
    EXPECT_EQ(bounds.outputs, output.size());
    EXPECT_EQ(bounds.operator_norm.value(), layer.claimed_operator_norm_bound);
    ExpectBound(bounds.absolute_norm, QuadNorm(absolute), 1.05, "absolute_norm");
    // Rows of weights are bounded as if no tap fell outside the image.
    const double infinity = std::numeric_limits<double>::infinity();
    ExpectBound(bounds.largest_row_norm, exact.largest_row_norm, infinity, "largest_row_norm");
    ExpectBound(bounds.largest_row_norm1, exact.largest_row_norm1, infinity, "largest_row_norm1");
    ExpectBound(bounds.bias_norm, exact.bias_norm, 1.0, "bias_norm");
    ExpectBound(bounds.largest_bias, exact.largest_bias, 1.0, "largest_bias");
  }
}

TEST(LayerBoundsTest, RowsOfAConvolutionAreTightInTheInterior) {
  std::mt19937_64 random(3);
  for (const PaddingMode mode : kModes) {
    const ConvolutionLayer layer = RandomConvolution(random, {2, 8, 8}, 2, SameAxis(3), mode);
    const LayerBounds bounds = BoundsOf(layer, layer.input);
    const BruteForce exact = Examine(DenseMatrix(layer, Weights::kAbsolute), {});
    // At most two taps of a window of three meet, along each axis.
    ExpectBound(bounds.largest_row_norm, exact.largest_row_norm, 2.0, "largest_row_norm");
    ExpectBound(bounds.largest_row_norm1, exact.largest_row_norm1, 1.0, "largest_row_norm1");
    EXPECT_LE(bounds.bias_norm.value(), 1e-100);
  }
}

TEST(LayerBoundsTest, AnAveragePoolIsItsScaleTimesTheRootOfItsWindow) {
  const float scale = 1.0F / 3.0F;
  const AveragePoolLayer pool{.window_height = 2, .window_width = 3, .scale = scale};
  const LayerBounds bounds = BoundsOf(pool, {5, 4, 6});
  const double norm = static_cast<double>(scale) * std::sqrt(6.0);
  EXPECT_EQ(bounds.fan_in, 6U);
  EXPECT_EQ(bounds.outputs, 5U * 2U * 2U);
  ExpectBound(bounds.operator_norm, norm, 1.0, "operator_norm");
  ExpectBound(bounds.absolute_norm, norm, 1.0, "absolute_norm");
  EXPECT_GE(static_cast<Quad>(bounds.operator_norm.value()) * bounds.operator_norm.value(),
            static_cast<Quad>(scale) * scale * 6);
  ExpectBound(bounds.largest_row_norm1, 6.0 * static_cast<double>(scale), 1.0, "row_norm1");
  // The unscaled sum is what can overflow.
  ExpectBound(bounds.largest_row_norm, std::sqrt(6.0), 1.0, "largest_row_norm");
  EXPECT_EQ(bounds.bias_norm.value(), 0.0);
  EXPECT_EQ(bounds.largest_bias.value(), 0.0);
}

TEST(LayerBoundsTest, AnL2NormPoolIsOneLipschitz) {
  const L2NormPoolLayer pool{.window_height = 2, .window_width = 2};
  const LayerBounds bounds = BoundsOf(pool, {3, 4, 6});
  EXPECT_EQ(bounds.fan_in, 4U);
  EXPECT_EQ(bounds.outputs, 3U * 2U * 3U);
  EXPECT_EQ(bounds.operator_norm.value(), 1.0);
  EXPECT_EQ(bounds.absolute_norm.value(), 1.0);
  EXPECT_EQ(bounds.largest_row_norm.value(), 1.0);
  EXPECT_EQ(bounds.bias_norm.value(), 0.0);
  // The claim itself: pairs of windows, in quadruple precision.
  std::mt19937_64 random(4);
  for (int trial = 0; trial < 1000; ++trial) {
    const auto a = RandomFloats(random, 4, 1.0);
    const auto b = RandomFloats(random, 4, 1.0);
    Quad squares_a = 0;
    Quad squares_b = 0;
    Quad distance = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      squares_a += static_cast<Quad>(a[i]) * a[i];
      squares_b += static_cast<Quad>(b[i]) * b[i];
      distance += (static_cast<Quad>(a[i]) - b[i]) * (static_cast<Quad>(a[i]) - b[i]);
    }
    EXPECT_LE(QuadAbs(QuadSqrt(squares_a) - QuadSqrt(squares_b)), QuadSqrt(distance));
  }
}

TEST(LayerBoundsTest, ClaimsAreCheckedWhereThereAreAny) {
  std::mt19937_64 random(5);
  FrozenLayer convolution = RandomConvolution(random, {1, 5, 5}, 2, SameAxis(3));
  FrozenLayer dense = RandomDense(random, 5, 5, 1.0);
  EXPECT_FALSE(CheckClaim(convolution).ok());  // 0 so far
  for (FrozenLayer* const layer : {&convolution, &dense}) {
    ASSERT_TRUE(ClaimOperatorNorm(*layer).ok());
    EXPECT_TRUE(CheckClaim(*layer).ok());
  }
  std::get<ConvolutionLayer>(convolution).claimed_operator_norm_bound *= 1.0 - 1e-9;
  EXPECT_FALSE(CheckClaim(convolution).ok());
  std::get<DenseLayer>(dense).claimed_operator_norm_bound *= 1.0 - 1e-9;
  EXPECT_FALSE(CheckClaim(dense).ok());
  for (FrozenLayer layer : {FrozenLayer(FlattenLayer{}), FrozenLayer(AveragePoolLayer{}),
                            FrozenLayer(L2NormPoolLayer{}), FrozenLayer(GroupSortLayer{})}) {
    EXPECT_TRUE(ClaimOperatorNorm(layer).ok());
    EXPECT_TRUE(CheckClaim(layer).ok());
  }
}

}  // namespace
}  // namespace lipserve
