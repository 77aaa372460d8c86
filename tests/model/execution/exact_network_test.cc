// SPDX-License-Identifier: Apache-2.0
#include "model/execution/exact_network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <utility>
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

// `layers`, and a row of random weights over what they make of the image.
FrozenNetwork WithRandomHead(std::mt19937_64& random, const SampleShape& input,
                             std::vector<FrozenLayer> layers, std::size_t scores) {
  FrozenNetwork network{.input_shape = input, .layers = std::move(layers)};
  SampleShape shape = input;
  for (const FrozenLayer& layer : network.layers) shape = OutputShape(layer, shape);
  network.layers.emplace_back(RandomDense(random, shape.size(), scores, 1.0));
  EXPECT_TRUE(CheckNetwork(network).ok()) << CheckNetwork(network);
  return network;
}

// Convolutions of every padding with stride, dilation and groups, a sort and a pool.
FrozenNetwork RandomImageNetwork(std::mt19937_64& random, PaddingMode mode, FrozenLayer pool) {
  const SampleShape input{4, 7, 6};
  const ConvolutionLayer first = RandomConvolution(
      random,
      {.input = input,
       .output_channels = 6,
       .groups = 2,
       .vertical = {.size = 3, .dilation = 2, .padding_before = 3, .padding_after = 2},
       .horizontal = {.size = 2, .stride = 2, .padding_before = 1, .padding_after = 3},
       .padding_mode = mode},
      0.3);
  return WithRandomHead(random, input,
                        {first, GroupSortLayer{.group_size = 3}, std::move(pool), FlattenLayer{},
                         GroupSortLayer{.group_size = 2}},
                        5);
}

// The dense head again with a bias that makes the real score of `x` zero, if float32 holds it.
FrozenNetwork WithScoreZeroAt(FrozenNetwork network, const std::vector<float>& x) {
  auto& head = std::get<DenseLayer>(network.layers.back());
  head.bias.assign(1, 0.0F);
  const Quad score = QuadScores(network, x)[0];
  head.bias[0] = -static_cast<float>(score);
  EXPECT_TRUE(QuadScores(network, x)[0] == 0);
  return network;
}

std::vector<float> RandomIntegers(std::mt19937_64& random, std::size_t count) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(static_cast<int>(random() % 9) - 4);
  return values;
}

class ExactImageNetworkTest : public ::testing::TestWithParam<PaddingMode> {};

TEST_P(ExactImageNetworkTest, AgreesWithQuadruplePrecisionWhereThatIsClear) {
  std::mt19937_64 random(2);
  const FrozenLayer pools[] = {
      AveragePoolLayer{.window_height = 2, .window_width = 1, .scale = 0.7F},
      L2NormPoolLayer{.window_height = 4, .window_width = 1}};
  for (const FrozenLayer& pool : pools) {
    const FrozenNetwork network = RandomImageNetwork(random, GetParam(), pool);
    const ExactNetwork exact(network);
    for (int trial = 0; trial < 30; ++trial) {
      const auto x = RandomFloats(random, network.input_shape.size(), 1.0);
      EXPECT_EQ(exact.ClassOf(x), QuadArgmax(QuadClassScores(network, x)));
    }
  }
}

// With small integers every score is one, so quadruple precision is exact: a score of exactly zero
// is class 0, the smallest step below it class 1.
TEST_P(ExactImageNetworkTest, SeesAScoreOfExactlyZero) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 20; ++trial) {
    FrozenNetwork network = RandomImageNetwork(
        random, GetParam(), AveragePoolLayer{.window_height = 2, .window_width = 1, .scale = 4});
    auto& convolution = std::get<ConvolutionLayer>(network.layers.front());
    convolution.weights = RandomIntegers(random, convolution.weights.size());
    convolution.bias = RandomIntegers(random, convolution.bias.size());
    auto& head = std::get<DenseLayer>(network.layers.back());
    head.outputs = 1;
    head.weights = RandomIntegers(random, head.inputs);
    const auto x = RandomIntegers(random, network.input_shape.size());
    network = WithScoreZeroAt(std::move(network), x);
    EXPECT_EQ(ExactNetwork(network).ClassOf(x), 0U);
    float& bias = std::get<DenseLayer>(network.layers.back()).bias[0];
    bias = std::nextafter(bias, -1e9F);
    if (!std::isnormal(bias)) bias = -0x1p-126F;
    EXPECT_EQ(ExactNetwork(network).ClassOf(x), 1U);
  }
}

TEST(ExactNetworkTest, ActivationsAndPotentialsAgreeWithQuadruplePrecision) {
  std::mt19937_64 random(4);
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    for (const FrozenNetwork& network :
         {RandomActivationNetwork(seed, 4), RandomPotentialNetwork(seed, 4)}) {
      const ExactNetwork exact(network);
      for (int trial = 0; trial < 5; ++trial) {
        const auto x = RandomFloats(random, network.input_shape.size(), 1.0);
        EXPECT_EQ(exact.ClassOf(x), QuadArgmax(QuadClassScores(network, x)));
      }
    }
  }
}

// Numbers and weights whose last bits lie far apart, where float64 would lose the smaller ones: the
// score is zero exactly, or one unit off.
TEST(ExactNetworkTest, ActivationsLoseNothingBetweenNumbersOfVeryDifferentSize) {
  FrozenNetwork network = OneRow({1.0F, 1.0F}, {});
  network.input_shape = {.channels = 2, .height = 1, .width = 1};
  auto& layers = network.layers;
  const auto class_of = [&](FrozenLayer activation, std::vector<float> row, std::vector<float> x) {
    layers = {std::move(activation),
              DenseLayer{.inputs = 2, .outputs = 1, .weights = std::move(row), .bias = {}}};
    EXPECT_TRUE(CheckNetwork(network).ok());
    return ExactNetwork(network).ClassOf(x);
  };
  // -2^100 2^-80 = -2^20 and x_1 = 2^-149 beside it.
  const PReluLayer steep{{0x1p-80F, 0x1p+90F}};
  EXPECT_EQ(class_of(steep, {0x1p-20F, 1.0F}, {-0x1p100F, 1.0F}), 0U);  // -1 + 1
  EXPECT_EQ(class_of(steep, {0x1p-20F, 1.0F}, {-0x1p100F, 1.0F - 0x1p-24F}), 1U);
  EXPECT_EQ(class_of(steep, {0.0F, -1.0F}, {0.0F, -0x1p-149F}), 0U);
  // Slopes that are multiples of 2^37: products are, too, while numbers that are kept are not.
  const PReluLayer coarse{{0x1p60F, 0x1p60F}};
  EXPECT_EQ(class_of(coarse, {1.0F, 1.0F}, {-0x1p-60F, 1.0F}), 0U);  // -1 + 1
  EXPECT_EQ(class_of(coarse, {1.0F, 1.0F}, {-0x1p-60F, 1.0F - 0x1p-24F}), 1U);
  // v = (2^-60, 0): y_0 = x_0 - 2^-120 x_0, below x_0 by what float64 does not see.
  const HouseholderLayer slight{{0x1p-60F, 0.0F}};
  EXPECT_EQ(class_of(slight, {1.0F, -1.0F}, {1.0F, 1.0F}), 1U);
  EXPECT_EQ(class_of(slight, {-1.0F, 1.0F}, {1.0F, 1.0F}), 0U);
  EXPECT_EQ(class_of(slight, {1.0F, -1.0F}, {-1.0F, -1.0F}), 0U);
  // v = (2^60, -2^60): <v, z> = 2^61, y = z - 2^121 (1, -1).
  const HouseholderLayer large{{0x1p60F, -0x1p60F}};
  EXPECT_EQ(class_of(large, {1.0F, 1.0F}, {1.0F, -1.0F}), 0U);  // the sum stays 0
  EXPECT_EQ(class_of(large, {1.0F, 1.0F}, {1.0F, -1.0F - 0x1p-20F}), 1U);
}

INSTANTIATE_TEST_SUITE_P(Paddings, ExactImageNetworkTest,
                         ::testing::Values(PaddingMode::kZero, PaddingMode::kReflect,
                                           PaddingMode::kReplicate, PaddingMode::kCircular),
                         [](const auto& instance) {
                           return "mode" + std::to_string(static_cast<int>(instance.param));
                         });

// score = sqrt(sum of squares of x) - 5, in units of `unit`.
FrozenNetwork NormMinusFive(float unit) {
  FrozenNetwork network = OneRow({1.0F}, {-5.0F * unit});
  network.input_shape = {.channels = 1, .height = 1, .width = 2};
  network.layers.insert(network.layers.begin(),
                        L2NormPoolLayer{.window_height = 1, .window_width = 2});
  return network;
}

TEST(ExactNetworkTest, RootsThatAreNumbersAreExact) {
  for (const float unit : {1.0F, 0x1p60F, 0x1p-60F}) {
    const FrozenNetwork network = NormMinusFive(unit);
    const ExactNetwork exact(network);
    EXPECT_EQ(exact.ClassOf(std::vector<float>{3.0F * unit, -4.0F * unit}), 0U);
    EXPECT_EQ(exact.ClassOf(std::vector<float>{std::nextafter(3.0F * unit, 0.0F), 4.0F * unit}),
              1U);
  }
}

// sqrt(25 + 2^-280) - 5 is 10^-85: far below what float64 sees, far above 2^-2048.
TEST(ExactNetworkTest, SeesWhatARootHidesFromFloat64) {
  FrozenNetwork network = NormMinusFive(1.0F);
  network.input_shape.width = 3;
  network.layers.front() = L2NormPoolLayer{.window_height = 1, .window_width = 3};
  auto& head = std::get<DenseLayer>(network.layers.back());
  head.weights[0] = -1.0F;
  head.bias[0] = 5.0F;
  const ExactNetwork exact(network);
  EXPECT_EQ(exact.ClassOf(std::vector<float>{3.0F, 4.0F, 0x1p-140F}), 1U);
  EXPECT_EQ(exact.ClassOf(std::vector<float>{3.0F, 4.0F, 0.0F}), 0U);
}

// Below the resolution the answer may be wrong, but it is defined: the root is rounded down, so a
// positive score of less than 2^-2048 is zero, and a negative one is seen.
TEST(ExactNetworkTest, RootsAreRoundedDownToTheResolution) {
  FrozenNetwork network = NormMinusFive(1.0F);
  // Twenty factors of 2^-120 take the numbers below the resolution before the pool.
  for (int i = 0; i < 20; ++i) {
    network.layers.insert(
        network.layers.begin(),
        AveragePoolLayer{.window_height = 1, .window_width = 1, .scale = 0x1p-120F});
  }
  auto& head = std::get<DenseLayer>(network.layers.back());
  head.weights[0] = -1.0F;
  head.bias[0] = 0.0F;
  EXPECT_EQ(ExactNetwork(network).ClassOf(std::vector<float>{1.0F, 1.0F}), 0U);
  const DenseLayer same_head = head;
  network.layers.resize(16);  // 16 factors: 2^-1920
  network.layers.emplace_back(L2NormPoolLayer{.window_height = 1, .window_width = 2});
  network.layers.emplace_back(same_head);
  EXPECT_EQ(ExactNetwork(network).ClassOf(std::vector<float>{1.0F, 1.0F}), 1U);
}

}  // namespace
}  // namespace lipserve
