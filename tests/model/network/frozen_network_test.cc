// SPDX-License-Identifier: Apache-2.0
#include "model/network/frozen_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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
    EXPECT_THAT(ErrorOf(network_),
                HasSubstr("group_size: expected at least 2 and a divisor of the 4 channels"));
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

// [4, 6, 8] by a convolution of every feature to [6, 3, 8], sorted, pooled to [6, 1, 4], dense.
FrozenNetwork ConvolutionalNetwork() {
  std::mt19937_64 random(1);
  FrozenNetwork network;
  network.input_shape = {.channels = 4, .height = 6, .width = 8};
  network.layers.emplace_back(RandomConvolution(
      random,
      {.input = network.input_shape,
       .output_channels = 6,
       .groups = 2,
       .vertical = {.size = 3, .stride = 2, .padding_before = 1},
       .horizontal = {.size = 2, .dilation = 2, .padding_before = 1, .padding_after = 1},
       .padding_mode = PaddingMode::kReflect},
      1.0));
  network.layers.emplace_back(GroupSortLayer{.group_size = 3});
  network.layers.emplace_back(AveragePoolLayer{.window_height = 3, .window_width = 1, .scale = 1});
  network.layers.emplace_back(L2NormPoolLayer{.window_height = 1, .window_width = 2});
  network.layers.emplace_back(FlattenLayer{});
  network.layers.emplace_back(RandomDense(random, 6 * 4, 3, 1.0));
  return network;
}

class CheckConvolutionalNetworkTest : public ::testing::Test {
 protected:
  ConvolutionLayer& Convolution() { return std::get<ConvolutionLayer>(network_.layers[0]); }

  FrozenNetwork network_ = ConvolutionalNetwork();
};

TEST_F(CheckConvolutionalNetworkTest, AcceptsAWellFormedNetworkWhoseShapesChain) {
  EXPECT_TRUE(CheckNetwork(network_).ok()) << CheckNetwork(network_);
  SampleShape shape = network_.input_shape;
  const SampleShape expected[] = {{6, 3, 8}, {6, 3, 8},  {6, 1, 8},
                                  {6, 1, 4}, {24, 1, 1}, {3, 1, 1}};
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    shape = OutputShape(network_.layers[i], shape);
    EXPECT_EQ(shape, expected[i]) << i;
  }
}

TEST_F(CheckConvolutionalNetworkTest, DescribesEachLayerInOneLine) {
  EXPECT_EQ(DescribeLayer(network_.layers[0]),
            "convolution [4, 6, 8] -> [6, 3, 8], 3x2, stride 2x1, dilation 1x2, reflect padding, "
            "2 groups with bias");
  EXPECT_EQ(DescribeLayer(network_.layers[2]), "average pool 3x1, scale 1");
  EXPECT_EQ(DescribeLayer(network_.layers[3]), "L2-norm pool 1x2");
  EXPECT_FALSE(OnlyMovesNumbers(network_.layers[0]));
  EXPECT_FALSE(OnlyMovesNumbers(network_.layers[2]));
  EXPECT_FALSE(OnlyMovesNumbers(network_.layers[3]));
  EXPECT_TRUE(OnlyMovesNumbers(network_.layers[1]));
  EXPECT_TRUE(OnlyMovesNumbers(network_.layers[4]));
}

TEST_F(CheckConvolutionalNetworkTest, RefusesAnotherInputShape) {
  Convolution().input.width = 7;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("input shape: expected [4, 6, 8] (the shape before this "
                                           "layer), got [4, 6, 7]"));
}

TEST_F(CheckConvolutionalNetworkTest, RefusesGroupsThatDoNotDivideTheChannels) {
  for (const std::size_t bad : {0U, 3U, 4U}) {
    Convolution().groups = bad;
    EXPECT_THAT(ErrorOf(network_), HasSubstr("groups: expected a divisor of the 4 input and the 6 "
                                             "output channels"));
  }
  Convolution().groups = 2;
  Convolution().output_channels = 0;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("the 0 output channels"));
}

TEST_F(CheckConvolutionalNetworkTest, RefusesAWindowThatIsNone) {
  Convolution().vertical.stride = 0;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("vertical: expected size, stride and dilation of 1 to"));
  Convolution().vertical.stride = 1;
  Convolution().horizontal.dilation = (std::size_t{1} << 22) + 1;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("horizontal: expected size, stride and dilation"));
}

TEST_F(CheckConvolutionalNetworkTest, RefusesPaddingThatHasNoSource) {
  Convolution().vertical.padding_after = 6;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("vertical: expected paddings of at most"));
  Convolution().padding_mode = PaddingMode::kZero;
  EXPECT_THAT(ErrorOf(network_), Not(HasSubstr("expected paddings of at most")));
  Convolution().vertical.padding_after = (std::size_t{1} << 22) + 1;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("vertical: expected paddings of at most"));
}

TEST_F(CheckConvolutionalNetworkTest, RefusesAPaddedImageThatIsTooLarge) {
  Convolution().padding_mode = PaddingMode::kReplicate;
  Convolution().vertical = {.size = 3, .stride = 1U << 20U, .padding_after = 1U << 20U};
  Convolution().horizontal.padding_before = 3;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("numbers in the padded image, got [4, 1048582, 12]"));
}

TEST_F(CheckConvolutionalNetworkTest, RefusesAWindowThatDoesNotFit) {
  Convolution().horizontal.dilation = 10;
  EXPECT_THAT(ErrorOf(network_),
              HasSubstr("horizontal: expected a window that fits into the image, "
                        "got one of 11 positions in an image of 8 with its "
                        "padding 1 and 1"));
}

TEST_F(CheckConvolutionalNetworkTest, RefusesAnOutputThatIsTooLarge) {
  Convolution() = {.input = network_.input_shape,
                   .output_channels = 1U << 18U,
                   .weights = std::vector<float>(std::size_t{4} << 18U, 1.0F)};
  EXPECT_THAT(ErrorOf(network_), HasSubstr("output: expected at most 4194304 numbers, got "
                                           "[262144, 6, 8]"));
}

TEST_F(CheckConvolutionalNetworkTest, RefusesWeightsOfTheWrongNumberOrKind) {
  Convolution().weights.pop_back();
  EXPECT_THAT(ErrorOf(network_), HasSubstr("weights: expected 72 numbers, got 71"));
  Convolution().weights.push_back(1e-40F);
  EXPECT_THAT(ErrorOf(network_), HasSubstr("weights number 71: expected a normal float32 or zero"));
  Convolution().weights.back() = 0.0F;
  Convolution().bias.pop_back();
  EXPECT_THAT(ErrorOf(network_), HasSubstr("bias: expected 6 numbers, got 5"));
}

TEST_F(CheckConvolutionalNetworkTest, RefusesPoolsThatDoNotDivideTheImage) {
  for (const std::size_t bad : {0U, 2U, 6U}) {
    std::get<AveragePoolLayer>(network_.layers[2]).window_height = bad;
    EXPECT_THAT(ErrorOf(network_),
                HasSubstr("window: expected one that divides the image of 3 x 8"));
  }
  network_ = ConvolutionalNetwork();
  std::get<L2NormPoolLayer>(network_.layers[3]).window_width = 3;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("layer 3 (L2-norm pool 1x3): window: expected one that "
                                           "divides the image of 1 x 8, got 1 x 3"));
}

TEST_F(CheckConvolutionalNetworkTest, RefusesScalesThatAreNotPositiveNormalNumbers) {
  for (const float bad : {0.0F, -1.0F, 1e-40F, std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    std::get<AveragePoolLayer>(network_.layers[2]).scale = bad;
    EXPECT_THAT(ErrorOf(network_), HasSubstr("scale: expected a positive, normal float32"));
  }
}

class CheckBranchingNetworkTest : public ::testing::Test {
 protected:
  FrozenNetwork network_ = RandomBranchingNetwork(1, 3);
};

TEST_F(CheckBranchingNetworkTest, AcceptsAWellFormedNetworkAndKnowsItsValues) {
  EXPECT_TRUE(CheckNetwork(network_).ok()) << CheckNetwork(network_);
  const SampleShape image{.channels = 4, .height = 6, .width = 4};
  EXPECT_EQ(ValueShapes(network_)[7], image);
  EXPECT_EQ(ValueShapes(network_)[8], (SampleShape{.channels = 3, .height = 5, .width = 6}));
  EXPECT_THAT(LastReaders(network_), ::testing::ElementsAre(1, 2, 2, 3, 5, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_EQ(DescribeLayerOf(network_, 2), "sum with value 1");
  EXPECT_EQ(DescribeLayerOf(network_, 1),
            "convolution [4, 6, 4] -> [4, 6, 4], 3x3, zero padding with bias, reads value 0");
  EXPECT_EQ(DescribeLayer(network_.layers[6]), "clip to [-1, 0.75]");
  EXPECT_EQ(DescribeLayer(network_.layers[7]), "permutation to [3, 5, 6]");
}

TEST_F(CheckBranchingNetworkTest, RefusesInputsThatAreNotThereYetOrNeverRead) {
  network_.inputs[4] = 5;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("input: expected a value before this layer's, at most "
                                           "4, got 5"));
  network_.inputs[4] = 3;
  std::get<SumLayer>(network_.layers[5]).other = 6;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("layer 5 (sum with value 6): other: expected a value "
                                           "before this layer's, at most 5, got 6"));
  std::get<SumLayer>(network_.layers[5]).other = 3;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("expected a layer that reads value 4 (the output of "
                                           "layer 3), got none"));
}

TEST_F(CheckBranchingNetworkTest, RefusesASumOfOtherShapes) {
  std::get<SumLayer>(network_.layers[9]).other = 8;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("layer 9 (sum with value 8): other: expected a value of "
                                           "shape [3, 2, 6], got [3, 5, 6]"));
}

TEST_F(CheckBranchingNetworkTest, RefusesInputsOfAChain) {
  FrozenNetwork chain = RandomNetwork(1, {6, 3});
  chain.inputs = {0, 1};
  EXPECT_THAT(ErrorOf(chain), HasSubstr("inputs: expected none where each layer reads the one"));
}

TEST_F(CheckBranchingNetworkTest, RefusesPermutationsThatRepeatOrLeaveTheInput) {
  auto& permutation = std::get<PermutationLayer>(network_.layers[7]);
  std::swap(permutation.sources[0], permutation.sources[1]);
  EXPECT_TRUE(CheckNetwork(network_).ok());
  permutation.sources[3] = permutation.sources[17];
  EXPECT_THAT(ErrorOf(network_), HasSubstr("layer 7 (permutation to [3, 5, 6]): source "));
  permutation.sources[3] = 96;
  EXPECT_THAT(ErrorOf(network_), HasSubstr("layer 7 (permutation to [3, 5, 6]): source "));
}

TEST_F(CheckBranchingNetworkTest, RefusesClipsWithoutAnInterval) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const ClipLayer bad :
       {ClipLayer{.low = 1.0F, .high = 0.5F}, ClipLayer{.low = -infinity, .high = 0.5F},
        ClipLayer{.low = 0.0F, .high = std::nanf("")}, ClipLayer{.low = 1e-40F, .high = 1.0F}}) {
    network_.layers[6] = bad;
    EXPECT_THAT(ErrorOf(network_), HasSubstr("layer 6 (clip to"));
  }
}

TEST_F(CheckBranchingNetworkTest, RefusesMaxPoolsWithEmptyWindows) {
  const auto error = [](const MaxPoolLayer& pool) { return LayerError(pool, {2, 5, 5}); };
  EXPECT_EQ(error({.vertical = {.size = 3, .padding_before = 2, .padding_after = 2}}), "");
  EXPECT_THAT(error({.vertical = {.size = 3, .padding_before = 3}}), HasSubstr("padding"));
  EXPECT_THAT(error({.horizontal = {.size = 2, .padding_after = 2}}), HasSubstr("padding"));
  EXPECT_THAT(error({.horizontal = {.size = 2, .dilation = 2}}), HasSubstr("dilation"));
  EXPECT_THAT(error({.horizontal = {.size = 6}}), HasSubstr("window"));
  EXPECT_THAT(error({.horizontal = {.size = 2, .stride = 0}}), HasSubstr("stride"));
}

TEST(CheckUpSamplingTest, RefusesWindowsThatDoNotDivideTheChannels) {
  const auto status = [](std::size_t height, std::size_t width) {
    FrozenNetwork network{.input_shape = {12, 2, 2}, .layers = {}};
    network.layers.emplace_back(UpSamplingLayer{.window_height = height, .window_width = width});
    std::mt19937_64 random(1);
    network.layers.emplace_back(RandomDense(random, 48, 2, 0.1));
    return CheckNetwork(network);
  };
  EXPECT_TRUE(status(2, 3).ok());
  EXPECT_TRUE(status(12, 1).ok());
  EXPECT_TRUE(status(1, 1).ok());
  constexpr std::size_t kHuge = std::size_t{1} << 63;
  for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>(0, 1),
                                      {1, 0},
                                      {5, 1},
                                      {4, 4},
                                      {kHuge, 2},
                                      {2, kHuge}}) {
    EXPECT_THAT(std::string(status(height, width).message()),
                HasSubstr("window: expected one whose positions divide the 12 channels, got"));
  }
}

TEST_F(CheckConvolutionalNetworkTest, RefusesSortsThatDoNotDivideTheChannels) {
  network_.layers[1] = GroupSortLayer{.group_size = 4};
  EXPECT_THAT(ErrorOf(network_), HasSubstr("divisor of the 6 channels, got 4"));
}

}  // namespace
}  // namespace lipserve
