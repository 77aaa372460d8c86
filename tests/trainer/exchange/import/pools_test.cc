// SPDX-License-Identifier: Apache-2.0
// Pools, what ends a network, and traps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/exchange/import/conversion_oracle.h"
#include "tests/trainer/exchange/import/graph_builder.h"

namespace lipserve::exchange {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using Axes = std::vector<std::int64_t>;
using Attributes = std::map<std::string, Attribute>;

// The layers of a convolution, a pool of its 2 channels of 6 x 6 that makes `output`, and scores.
std::vector<std::string> PoolLayers(const char* op, const Axes& output,
                                    const Attributes& attributes) {
  GraphBuilder b({1, 6, 6});
  const ValueId x = b.Conv(b.input(), {1, 6, 6}, 2, 3);
  const ValueId y = b.Add(op, {x}, output, attributes);
  std::vector<std::string> layers =
      Layers(b.Finish({b.Scores(y, output[0] * output[1] * output[2])}));
  if (layers.size() == 3) return {layers[1]};
  return layers;
}

Attributes Window(std::int64_t size, std::int64_t stride, std::int64_t pad = 0) {
  return {{"kernel_shape", Axes{size, size}},
          {"strides", Axes{stride, stride}},
          {"pads", Axes(4, pad)}};
}

Attributes With(Attributes attributes, const char* name) {
  attributes[name] = std::int64_t{1};
  return attributes;
}

TEST(ConvertPoolsTest, AveragePoolOfDisjointWindows) {
  EXPECT_THAT(PoolLayers("AveragePool", {2, 3, 3}, Window(2, 2)),
              ElementsAre("average pool 2x2, scale 0.25"));
  EXPECT_THAT(PoolLayers("GlobalAveragePool", {2, 1, 1}, {}),
              ElementsAre(StartsWith("average pool 6x6")));
}

TEST(ConvertPoolsTest, AveragePoolThatLeavesTheLastPositionsOut) {
  EXPECT_THAT(PoolLayers("AveragePool", {2, 1, 1}, Window(4, 4)),
              ElementsAre(HasSubstr("4x4, stride 4x4")));
}

TEST(ConvertPoolsTest, OverlappingAveragePoolIsAConvolutionOfEachChannel) {
  EXPECT_THAT(PoolLayers("AveragePool", {2, 2, 2}, Window(3, 2)),
              ElementsAre(HasSubstr("3x3, stride 2x2, 2 groups")));
  EXPECT_THAT(PoolLayers("AveragePool", {2, 6, 6}, With(Window(3, 1, 1), "count_include_pad")),
              ElementsAre(HasSubstr("3x3, zero padding, 2 groups")));
}

// Each position is divided by what of its window lies inside: that goes into the dense layer.
TEST(ConvertPoolsTest, PaddingThatIsNotCounted) {
  EXPECT_THAT(PoolLayers("AveragePool", {2, 6, 6}, Window(3, 1, 1)),
              ElementsAre(HasSubstr("3x3, zero padding, 2 groups")));
}

TEST(ConvertPoolsTest, WindowsThatLeaveTheImage) {
  EXPECT_THAT(PoolLayers("AveragePool", {2, 3, 3}, With(Window(3, 2), "ceil_mode")),
              ElementsAre(HasSubstr("3x3, stride 2x2, zero padding, 2 groups")));
  EXPECT_THAT(PoolLayers("MaxPool", {2, 3, 3}, With(Window(3, 2), "ceil_mode")),
              ElementsAre(StartsWith("max pool 3x3, stride 2x2")));
}

TEST(ConvertPoolsTest, MaxPoolPadsWithMinusInfinity) {
  EXPECT_THAT(PoolLayers("MaxPool", {2, 3, 3}, Window(3, 2, 1)),
              ElementsAre(StartsWith("max pool 3x3, stride 2x2")));
  EXPECT_THAT(PoolLayers("GlobalMaxPool", {2, 1, 1}, {}), ElementsAre(StartsWith("max pool 6x6")));
}

TEST(ConvertPoolsTest, NormsOfWholeChannels) {
  GraphBuilder b({1, 6, 6});
  const ValueId x = b.Conv(b.input(), {1, 6, 6}, 2, 3);
  const ValueId y = b.Add("ReduceL2", {x, b.Ints({2, 3})}, {2, 1, 1});
  EXPECT_THAT(Layers(b.Finish({b.Scores(y, 2)})),
              ElementsAre(StartsWith("convolution"), "L2-norm pool 6x6", "dense 2 -> 2 with bias"));
}

TEST(ConvertPoolsTest, L2NormPoolOfTorch) {
  GraphBuilder b({1, 6, 6});
  const ValueId x = b.Conv(b.input(), {1, 6, 6}, 2, 3);
  const Axes half = {2, 3, 3};
  const ValueId mean =
      b.Add("AveragePool", {b.Add("Pow", {x, b.Number(2.0F)}, {2, 6, 6})}, half, Window(2, 2));
  const ValueId sign = b.Add("Sign", {mean}, half);
  const ValueId magnitude = b.Add("Relu", {b.Add("Abs", {mean}, half)}, half);
  const ValueId sum = b.Add("Mul", {b.Add("Mul", {sign, magnitude}, half), b.Number(4.0F)}, half);
  const ValueId y = b.Add("Pow", {sum, b.Number(0.5F)}, half);
  EXPECT_THAT(
      Layers(b.Finish({b.Scores(y, 18)})),
      ElementsAre(StartsWith("convolution"), "L2-norm pool 2x2", "dense 18 -> 2 with bias"));
}

TEST(ConvertPoolsTest, L2NormPoolOfKeras) {
  GraphBuilder b({1, 6, 6});
  const ValueId x = b.Conv(b.input(), {1, 6, 6}, 2, 3);
  const Axes half = {2, 3, 3};
  const ValueId mean = b.Add("AveragePool", {b.Add("Mul", {x, x}, {2, 6, 6})}, half, Window(2, 2));
  const ValueId y = b.Add("Mul", {b.Add("Sqrt", {mean}, half), b.Number(2.0F)}, half);
  EXPECT_THAT(
      Layers(b.Finish({b.Scores(y, 18)})),
      ElementsAre(StartsWith("convolution"), "L2-norm pool 2x2", "dense 18 -> 2 with bias"));
}

TEST(ConvertPoolsTest, OtherRootsAreRefused) {
  GraphBuilder b({4});
  const ValueId y = b.Add("Sqrt", {b.Add("Relu", {b.input()}, {4})}, {4});
  EXPECT_THAT(WhyRefused(b.Finish({b.Gemm(y, 4, 2)})), HasSubstr("no Lipschitz bound at 0"));
}

// What is said of a network that ends in `ends`, a chain of operators.
absl::StatusOr<Converted> EndingIn(const std::vector<std::string>& ends, std::int64_t outputs) {
  GraphBuilder b({4});
  ValueId y = b.Gemm(b.input(), 4, outputs);
  for (const std::string& end : ends) y = b.Add(end, {y}, {outputs});
  return Convert(b.Finish({y}));
}

TEST(ConvertFinalStepsTest, SoftmaxAtTheEndIsLeftOutAndSaid) {
  const auto converted = EndingIn({"Softmax"}, 3);
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_EQ(converted->network.layers.size(), 1U);
  EXPECT_THAT(converted->notes, ElementsAre(StartsWith("Softmax at the end left out")));
  EXPECT_NEAR(AfterFinalSteps(*converted, {0.0, 0.0, 0.0})[1], 1.0 / 3.0, 1e-15);
}

TEST(ConvertFinalStepsTest, ASigmoidOfOneScoreSaysWhichLabelIsWhich) {
  const auto converted = EndingIn({"Sigmoid", "Identity"}, 1);
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_THAT(converted->notes,
              ElementsAre(StartsWith("Sigmoid"), HasSubstr("the first label is the class of")));
}

TEST(ConvertFinalStepsTest, NothingIsSaidOfScores) {
  const auto converted = EndingIn({}, 2);
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_THAT(converted->notes, IsEmpty());
}

TEST(ConvertFinalStepsTest, ASoftmaxOverTheBatchIsRefused) {
  GraphBuilder b({4});
  const ValueId y = b.Add("Softmax", {b.Gemm(b.input(), 4, 3)}, {3}, {{"axis", std::int64_t{0}}});
  EXPECT_THAT(WhyRefused(b.Finish({y})), HasSubstr("(Softmax): expected an operator"));
}

TEST(ConvertFinalStepsTest, LinearClassifierOfScikitLearn) {
  GraphBuilder b({2});
  const Attributes attributes = {{"classlabels_ints", Axes{0, 1, 2}},
                                 {"coefficients", std::vector<float>{1, 2, 3, 4, 5, 6}},
                                 {"intercepts", std::vector<float>{0.5F, 0, 0}},
                                 {"post_transform", std::string("SOFTMAX")}};
  const auto outputs =
      b.Nodes("ai.onnx.ml.LinearClassifier", {b.input()}, {{}, {3}}, attributes, 1);
  const ValueId probabilities =
      b.Add("ai.onnx.ml.Normalizer", {outputs[1]}, {3}, {{"norm", std::string("L1")}}, 1);
  const auto converted = Convert(b.Finish({outputs[0], probabilities}));
  ASSERT_TRUE(converted.ok()) << converted.status();
  ASSERT_EQ(converted->network.layers.size(), 1U);
  const auto& dense = std::get<DenseLayer>(converted->network.layers[0]);
  EXPECT_THAT(dense.weights, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(dense.bias, ElementsAre(0.5F, 0, 0));
}

TEST(ConvertFinalStepsTest, TwoOutputsAreRefused) {
  GraphBuilder b({4});
  const ValueId one = b.Gemm(b.input(), 4, 3);
  const ValueId other = b.Gemm(b.input(), 4, 3);
  EXPECT_THAT(WhyRefused(b.Finish({one, other})), HasSubstr("expected one output of scores"));
}

TEST(ConvertLayoutTest, ImagesWithChannelsLastAreServedChannelsFirst) {
  GraphBuilder b({6, 5, 3});
  const ValueId image = b.Add("Transpose", {b.input()}, {3, 6, 5}, {{"perm", Axes{0, 3, 1, 2}}});
  const auto converted = Convert(b.Finish({b.Scores(b.Conv(image, {3, 6, 5}, 2, 3), 60)}));
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_EQ(converted->network.input_shape, (SampleShape{3, 6, 5}));
  EXPECT_EQ(converted->network.layers.size(), 2U);
  EXPECT_TRUE(converted->layout.channels_last);
}

TEST(ConvertLayoutTest, WhatAConvolutionReadsHasItsChannelsFirst) {
  GraphBuilder b({6, 5, 3});
  const auto converted = Convert(b.Finish({b.Scores(b.Conv(b.input(), {6, 5, 3}, 2, 3), 30)}));
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_EQ(converted->network.input_shape, (SampleShape{6, 5, 3}));
}

TEST(ConvertLayoutTest, VectorsCanBeServedAsImages) {
  GraphBuilder b({12});
  const auto converted = Convert(b.Finish({b.Gemm(b.input(), 12, 2)}), SampleShape{1, 3, 4});
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_EQ(converted->network.input_shape, (SampleShape{1, 3, 4}));
}

TEST(ConvertBoundsTest, ALongChainOfReshapesTakesLittle) {
  GraphBuilder b({784});
  ValueId x = b.input();
  for (int i = 0; i < 20'000; ++i) x = b.Add("Reshape", {x, b.Ints({-1, 784})}, {784});
  const auto converted = Convert(b.Finish({b.Gemm(x, 784, 2)}));
  ASSERT_TRUE(converted.ok()) << converted.status();
  EXPECT_EQ(converted->network.layers.size(), 1U);
}

TEST(ConvertBoundsTest, WeightsBeyondFloat32AreRefused) {
  GraphBuilder b({4});
  const ValueId large = b.Add("Mul", {b.Gemm(b.input(), 4, 3), b.Number(3e38F)}, {3});
  const ValueId larger = b.Add("Mul", {large, b.Number(100.0F)}, {3});
  EXPECT_THAT(WhyRefused(b.Finish({larger})), HasSubstr("expected weights within float32"));
}

// Two evaluations must not be compared that are one: a wrong weight has to show.
TEST(CompareWithGraphTest, AWrongWeightShows) {
  GraphBuilder b({4});
  auto converted = Convert(b.Finish({b.Gemm(b.Add("Relu", {b.Gemm(b.input(), 4, 5)}, {5}), 5, 3)}));
  ASSERT_TRUE(converted.ok()) << converted.status();
  for (FrozenLayer& layer : converted->network.layers) ASSERT_TRUE(ClaimOperatorNorm(layer).ok());
  const auto bounds = NetworkBounds::Create(converted->network);
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  EXPECT_TRUE(CompareWithGraph(*converted, *bounds, {}).ok());
  std::get<DenseLayer>(converted->network.layers[0]).weights[3] += 1e-3F;
  EXPECT_THAT(std::string(CompareWithGraph(*converted, *bounds, {}).status().message()),
              HasSubstr("nothing was written"));
}

}  // namespace
}  // namespace lipserve::exchange
