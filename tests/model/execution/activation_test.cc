// SPDX-License-Identifier: Apache-2.0
// What activations are, what the format refuses of them, and the constants that radii are divided
// by. What they compute is held against their definition in layer_evaluation_test.cc.
#include "model/execution/activation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "model/certificate/layer_bounds.h"
#include "model/certified_model.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename Layer>
std::vector<float> Of(const Layer& layer, const SampleShape& shape, const std::vector<float>& x) {
  std::vector<float> y(OutputShape(layer, shape).size());
  Activate(layer, shape, x.data(), y.data());
  return y;
}

// Channels last: two positions of two channels.
TEST(ActivationTest, WorksOnTheChannelsOfEachPosition) {
  const SampleShape shape{.channels = 2, .height = 1, .width = 2};
  const std::vector<float> x = {1.0F, 3.0F, -2.0F, -4.0F};
  EXPECT_THAT(Of(AbsLayer{}, shape, x), ElementsAre(1, 3, 2, 4));
  EXPECT_THAT(Of(MaxMinLayer{}, shape, x), ElementsAre(3, 1, -2, -4));
  EXPECT_THAT(Of(ConcatenatedReluLayer{}, shape, x), ElementsAre(1, 3, 0, 0, 0, 0, 2, 4));
  EXPECT_THAT(Of(PReluLayer{{0.5F, -3.0F}}, shape, x), ElementsAre(1, 3, -1, 12));
  EXPECT_THAT(Of(HouseholderLayer{{1.0F, -1.0F}}, shape, x), ElementsAre(1, 3, -4, -2));
}

TEST(ActivationTest, TheFormatRefusesNumbersAndChannelsThatDoNotFit) {
  const SampleShape even{.channels = 4, .height = 2, .width = 2};
  const SampleShape odd{.channels = 3, .height = 2, .width = 2};
  EXPECT_EQ(LayerError(MaxMinLayer{}, even), "");
  EXPECT_THAT(LayerError(MaxMinLayer{}, odd),
              HasSubstr("layer 0 (max-min): channels: expected an even number, got 3"));
  EXPECT_EQ(LayerError(PReluLayer{{1, 2, 3}}, odd), "");
  EXPECT_THAT(LayerError(PReluLayer{{1, 2, 3}}, even),
              HasSubstr("layer 0 (PReLU): slopes: expected 4 numbers, got 3"));
  EXPECT_THAT(LayerError(PReluLayer{{1, NAN, 3}}, odd), HasSubstr("slopes number 1"));
  EXPECT_THAT(LayerError(PReluLayer{{1, 2, 1e-40F}}, odd), HasSubstr("slopes number 2"));
  EXPECT_EQ(LayerError(HouseholderLayer{{1, 2, 3, 4}}, even), "");
  EXPECT_THAT(LayerError(HouseholderLayer{{1, 2, 3}}, odd),
              HasSubstr("layer 0 (Householder): channels: expected an even number, got 3"));
  EXPECT_THAT(LayerError(HouseholderLayer{{1, 2}}, even),
              HasSubstr("layer 0 (Householder): directions: expected 4 numbers, got 2"));
  EXPECT_THAT(LayerError(HouseholderLayer{{1, 2, INFINITY, 4}}, even),
              HasSubstr("directions number 2"));
  EXPECT_THAT(
      LayerError(ConcatenatedReluLayer{}, {.channels = 1 << 12, .height = 1 << 5, .width = 1 << 5}),
      HasSubstr("output: expected at most 4194304 numbers, got [8192, 32, 32]"));
}

// The largest ||y(a) - y(b)|| / ||a - b|| over random pairs, in quadruple precision.
Quad LargestStretch(const FrozenLayer& layer, const SampleShape& shape) {
  std::mt19937_64 random(9);
  Quad largest = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    const auto a = RandomFloats(random, shape.size(), 1.0);
    auto b = RandomFloats(random, shape.size(), 1.0);
    // Also close to each other, where both lie in one piece.
    for (std::size_t k = 0; k < b.size() && trial % 2 == 0; ++k) b[k] = a[k] + 0.01F * b[k];
    const std::vector<Quad> x[] = {{a.begin(), a.end()}, {b.begin(), b.end()}};
    const auto y_a = std::visit(QuadLayer{x[0], shape}, layer);
    const auto y_b = std::visit(QuadLayer{x[1], shape}, layer);
    Quad moved = 0;
    Quad distance = 0;
    for (std::size_t k = 0; k < y_a.size(); ++k) moved += (y_a[k] - y_b[k]) * (y_a[k] - y_b[k]);
    for (std::size_t k = 0; k < a.size(); ++k) {
      distance += (x[0][k] - x[1][k]) * (x[0][k] - x[1][k]);
    }
    largest = std::max(largest, QuadSqrt(moved / distance));
  }
  return largest;
}

TEST(ActivationTest, NoPairIsStretchedByMoreThanTheConstantAndSomeNearlyByIt) {
  const SampleShape shape{.channels = 2, .height = 1, .width = 1};
  const auto rounding = static_cast<Quad>(1e-25);
  for (const FrozenLayer& layer : {FrozenLayer(AbsLayer{}), FrozenLayer(MaxMinLayer{}),
                                   FrozenLayer(ConcatenatedReluLayer{})}) {
    ASSERT_TRUE(OnlyMovesNumbers(layer));  // and so taken as 1-Lipschitz
    EXPECT_LE(LargestStretch(layer, shape), 1 + rounding) << DescribeLayer(layer);
    EXPECT_GE(LargestStretch(layer, shape), static_cast<Quad>(0.99)) << DescribeLayer(layer);
  }
  for (const FrozenLayer& layer :
       {FrozenLayer(PReluLayer{{0.5F, -0.25F}}), FrozenLayer(PReluLayer{{0.5F, -3.0F}}),
        FrozenLayer(PReluLayer{{1.5F, 0.0F}}), FrozenLayer(HouseholderLayer{{1.0F, -1.0F}}),
        FrozenLayer(HouseholderLayer{{0.2F, 0.3F}}), FrozenLayer(HouseholderLayer{{1.3F, 0.9F}}),
        FrozenLayer(HouseholderLayer{{-2.0F, 1.5F}})}) {
    const LayerBounds bounds = BoundsOf(layer, shape);
    const auto constant = static_cast<Quad>(bounds.operator_norm.value());
    EXPECT_LE(LargestStretch(layer, shape), constant + rounding) << DescribeLayer(layer);
    EXPECT_GE(LargestStretch(layer, shape), static_cast<Quad>(0.99) * constant)
        << DescribeLayer(layer);
    EXPECT_TRUE(CheckClaim(layer).ok());
  }
}

TEST(ActivationTest, AReflectionThatIsNoLongerThanItMayBeIsOneLipschitz) {
  const SampleShape shape{.channels = 4, .height = 3, .width = 3};
  const float below = std::nextafter(1.0F, 0.0F);
  EXPECT_EQ(BoundsOf(HouseholderLayer{{1, -below, 0.5F, 0.5F}}, shape).operator_norm.value(), 1.0);
  EXPECT_LE(BoundsOf(HouseholderLayer{{1, -1, 0.5F, 0.5F}}, shape).operator_norm.value(),
            1.0 + 1e-15);
  EXPECT_EQ(BoundsOf(PReluLayer{{1, -1, 0.5F, 0}}, shape).operator_norm.value(), 1.0);
  const LayerBounds longer = BoundsOf(HouseholderLayer{{1, -1, 2, 1}}, shape);
  EXPECT_GE(longer.operator_norm.value(), 4.0);
  EXPECT_LE(longer.operator_norm.value(), 4.0 * (1 + 1e-14));
  EXPECT_EQ(longer.outputs, 36U);
  EXPECT_GE(longer.absolute_norm.value(), 6.0);  // || I + |v| |v|^T ||
}

// Scores y_0 - y_1 + 1 of a steep activation: the boundary lies at a distance that the steepness
// divides, and a radius that forgets it passes the boundary.
TEST(ActivationTest, TheRadiusOfASteepActivationEndsBeforeTheBoundary) {
  const auto radius_of = [](const FrozenLayer& activation, std::vector<float> row, float bias,
                            const std::vector<float>& x) {
    FrozenNetwork network{.input_shape = {.channels = 2, .height = 1, .width = 1},
                          .layers = {activation}};
    network.layers.emplace_back(DenseLayer{.inputs = 2,
                                           .outputs = 1,
                                           .weights = std::move(row),
                                           .bias = {bias},
                                           .claimed_operator_norm_bound = 2.0});
    const auto model = CertifiedModel::Create(ModelOf(std::move(network)), 1);
    EXPECT_TRUE(model.ok()) << model.status();
    std::vector<Answer> answers(1);
    (*model)->Classify({x.data(), 1, 2}, *(*model)->NewWorker(), answers);
    return answers[0].radius_l2;
  };
  // 8 x_0 + 16 for x_0 < 0: the boundary is at x_0 = -2.
  const double prelu = radius_of(PReluLayer{{8.0F, 1.0F}}, {1.0F, 0.0F}, 16.0F, {-1.0F, 0.0F});
  EXPECT_LE(prelu, 1.0);
  EXPECT_GT(prelu, 1.0 - 1e-7);
  // x_0 - 4 x_0 + 6 for x_0 > 0: the boundary is at x_0 = 2.
  const double reflected =
      radius_of(HouseholderLayer{{2.0F, 0.0F}}, {1.0F, 0.0F}, 6.0F, {1.0F, 0.0F});
  EXPECT_LE(reflected, 1.0);
  EXPECT_GT(reflected, 1.0 - 1e-7);
}

}  // namespace
}  // namespace lipserve
