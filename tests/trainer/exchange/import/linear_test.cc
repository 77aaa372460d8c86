// SPDX-License-Identifier: Apache-2.0
// Dense layers, convolutions, padding, scaling and residuals, as exporters spell them. Each graph
// is evaluated node by node and must agree with what it became.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/exchange/import/conversion_oracle.h"
#include "tests/trainer/exchange/import/graph_builder.h"

namespace lipserve::exchange {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Axes = std::vector<std::int64_t>;

constexpr char kConvolution[] = "convolution [2, 6, 6] -> [4, 6, 6], 3x3, zero padding with bias";
constexpr char kScores[] = "dense 144 -> 2 with bias";

// A convolution, what `rest` makes of its 4 channels of 6 x 6, and scores of the same size.
template <typename Rest>
Graph AfterConvolution(Rest rest, std::int64_t size = 144) {
  GraphBuilder b({2, 6, 6});
  const ValueId x = b.Conv(b.input(), {2, 6, 6}, 4, 3);
  return b.Finish({b.Scores(rest(b, x), size)});
}

const Axes kImage = {4, 6, 6};

// A convolution of padded images.
Graph Padded(const char* mode) {
  return AfterConvolution([mode](GraphBuilder& b, ValueId x) {
    const ValueId padded = b.Add("Pad", {x, b.Ints({0, 0, 1, 2, 0, 0, 2, 1})}, {4, 9, 9},
                                 {{"mode", std::string(mode)}});
    return b.Add("Conv", {padded, b.Random({4, 4, 4, 4})}, kImage);
  });
}

TEST(ConvertPaddingTest, PadGoesIntoTheConvolution) {
  EXPECT_THAT(Layers(Padded("constant")),
              ElementsAre(kConvolution, HasSubstr("4x4, zero padding"), kScores));
  EXPECT_THAT(Layers(Padded("reflect")),
              ElementsAre(kConvolution, HasSubstr("4x4, reflect padding"), kScores));
  EXPECT_THAT(Layers(Padded("edge")),
              ElementsAre(kConvolution, HasSubstr("4x4, replicate padding"), kScores));
  EXPECT_THAT(Layers(Padded("wrap")),
              ElementsAre(kConvolution, HasSubstr("4x4, circular padding"), kScores));
}

TEST(ConvertPaddingTest, SlicesThatAreJoinedAreCircular) {
  const Graph graph = AfterConvolution([](GraphBuilder& b, ValueId x) {
    const auto slice = [&](ValueId from, std::int64_t axis, std::int64_t start, std::int64_t end,
                           Axes dims) {
      return b.Add("Slice", {from, b.Ints({start}), b.Ints({end}), b.Ints({axis})}, dims);
    };
    const ValueId rows =
        b.Add("Concat", {slice(x, 2, -1, 99, {4, 1, 6}), x, slice(x, 2, 0, 1, {4, 1, 6})},
              {4, 8, 6}, {{"axis", std::int64_t{2}}});
    const ValueId all =
        b.Add("Concat", {slice(rows, 3, -1, 99, {4, 8, 1}), rows, slice(rows, 3, 0, 1, {4, 8, 1})},
              {4, 8, 8}, {{"axis", std::int64_t{3}}});
    return b.Add("Conv", {all, b.Random({4, 4, 3, 3})}, kImage);
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kConvolution, HasSubstr("circular padding"), kScores));
}

TEST(ConvertPaddingTest, PaddingThatIsNobodysConvolutionIsRefused) {
  const Graph graph = AfterConvolution(
      [](GraphBuilder& b, ValueId x) {
        const ValueId padded = b.Add("Pad", {x, b.Ints({0, 0, 1, 1, 0, 0, 1, 1})}, {4, 8, 8},
                                     {{"mode", std::string("edge")}});
        return b.Add("MaxPool", {padded}, {4, 4, 4},
                     {{"kernel_shape", Axes{2, 2}}, {"strides", Axes{2, 2}}});
      },
      64);
  EXPECT_THAT(WhyRefused(graph), HasSubstr("only padding before a convolution may repeat"));
}

// (x - mean) / deviation, then a convolution with padding `pad`.
Graph Normalised(std::int64_t pad) {
  GraphBuilder b({2, 6, 6});
  const ValueId centred = b.Add("Sub", {b.input(), b.Random({2, 1, 1})}, {2, 6, 6});
  const ValueId x = b.Add("Div", {centred, b.Number(0.3F)}, {2, 6, 6});
  const std::int64_t size = 4 + 2 * pad;
  const ValueId y =
      b.Add("Conv", {x, b.Random({4, 2, 3, 3})}, {4, size, size}, {{"pads", Axes(4, pad)}});
  return b.Finish({b.Scores(b.Add("Relu", {y}, {4, size, size}), 4 * size * size)});
}

TEST(ConvertScalingTest, NormalisationGoesIntoAConvolutionWithoutPadding) {
  EXPECT_THAT(Layers(Normalised(0)),
              ElementsAre(StartsWith("convolution [2, 6, 6] -> [4, 4, 4], 3x3"), "PReLU",
                          StartsWith("dense")));
}

TEST(ConvertScalingTest, NormalisationStaysBeforeZeroPadding) {
  EXPECT_THAT(Layers(Normalised(1)),
              ElementsAre(StartsWith("convolution [2, 6, 6] -> [2, 6, 6], 1x1"),
                          StartsWith("convolution [2, 6, 6] -> [4, 6, 6], 3x3, zero padding"),
                          "PReLU", StartsWith("dense")));
}

TEST(ConvertScalingTest, PaddingThatIsNormalisedTooIsFolded) {
  GraphBuilder b({2, 6, 6});
  const ValueId padded = b.Add("Pad", {b.input(), b.Ints({0, 0, 1, 1, 0, 0, 1, 1})}, {2, 8, 8});
  const ValueId x = b.Add("Sub", {padded, b.Random({2, 1, 1})}, {2, 8, 8});
  const ValueId y = b.Add("Conv", {x, b.Random({4, 2, 3, 3})}, kImage);
  EXPECT_THAT(Layers(b.Finish({b.Scores(y, 144)})), ElementsAre(kConvolution, kScores));
}

ValueId BatchNorm(GraphBuilder& b, ValueId x, Axes dims) {
  const std::int64_t channels = dims[0];
  const ValueId variance =
      b.Floats({channels}, std::vector<float>(static_cast<std::size_t>(channels), 0.7F));
  return b.Add("BatchNormalization",
               {x, b.Random({channels}), b.Random({channels}), b.Random({channels}), variance},
               std::move(dims), {{"epsilon", 1e-5F}});
}

TEST(ConvertScalingTest, BatchNormGoesIntoTheLayerBefore) {
  EXPECT_THAT(Layers(AfterConvolution([](GraphBuilder& b, ValueId x) {
                return b.Add("Relu", {BatchNorm(b, x, kImage)}, kImage);
              })),
              ElementsAre(kConvolution, "PReLU", kScores));
}

TEST(ConvertScalingTest, BatchNormBeforeASplitGoesIntoTheLayerBefore) {
  EXPECT_THAT(Layers(AfterConvolution([](GraphBuilder& b, ValueId x) {
                const auto parts = b.Nodes("Split", {BatchNorm(b, x, kImage)},
                                           {{2, 6, 6}, {2, 6, 6}}, {{"axis", std::int64_t{1}}}, 17);
                const ValueId high = b.Add("Max", parts, {2, 6, 6});
                const ValueId low = b.Add("Min", parts, {2, 6, 6});
                return b.Add("Concat", {high, low}, kImage, {{"axis", std::int64_t{1}}});
              })),
              ElementsAre(kConvolution, "max-min", kScores));
}

TEST(ConvertScalingTest, ALayerThatOthersReadKeepsItsWeights) {
  EXPECT_THAT(
      Layers(AfterConvolution([](GraphBuilder& b, ValueId x) {
        const ValueId scaled = b.Add("Mul", {x, b.Number(0.5F)}, kImage);
        const ValueId relu = b.Add("Relu", {x}, kImage);
        const ValueId other = b.Add("Relu", {b.Conv(scaled, kImage, 4, 3)}, kImage);
        return b.Add("Add", {relu, other}, kImage);
      })),
      ElementsAre(kConvolution, HasSubstr("3x3"), "PReLU", "PReLU", HasSubstr("sum"), kScores));
}

TEST(ConvertScalingTest, ScalerOfScikitLearn) {
  GraphBuilder b({3});
  const ValueId x = b.Add("ai.onnx.ml.Scaler", {b.input()}, {3},
                          {{"offset", std::vector<float>{1.0F, 2.0F, 3.0F}},
                           {"scale", std::vector<float>{0.5F, 2.0F, 1.0F}}},
                          1);
  EXPECT_THAT(Layers(b.Finish({b.Gemm(x, 3, 2)})), ElementsAre("dense 3 -> 2 with bias"));
}

TEST(ConvertDenseTest, GemmWithFactorsAndMatMulWithBias) {
  GraphBuilder b({5});
  const ValueId y = b.Add("Gemm", {b.input(), b.Random({5, 4}), b.Number(0.5F)}, {4},
                          {{"alpha", 0.5F}, {"beta", 2.0F}});
  const ValueId z = b.Add("Add", {b.Add("MatMul", {y, b.Random({4, 2})}, {2}), b.Random({2})}, {2});
  EXPECT_THAT(Layers(b.Finish({z})),
              ElementsAre("dense 5 -> 4 with bias", "dense 4 -> 2 with bias"));
}

TEST(ConvertDenseTest, ChannelsLastBeforeFlattening) {
  EXPECT_THAT(Layers(AfterConvolution([](GraphBuilder& b, ValueId x) {
                return b.Add("Transpose", {x}, {6, 6, 4}, {{"perm", Axes{0, 2, 3, 1}}});
              })),
              ElementsAre(kConvolution, kScores));
}

TEST(ConvertDenseTest, AProductAtEveryPositionIsAConvolution) {
  const Graph graph = AfterConvolution([](GraphBuilder& b, ValueId x) {
    const ValueId last = b.Add("Transpose", {x}, {6, 6, 4}, {{"perm", Axes{0, 2, 3, 1}}});
    return b.Add("MatMul", {last, b.Random({4, 4})}, {6, 6, 4});
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kConvolution, HasSubstr("1x1"), kScores));
}

TEST(ConvertDenseTest, AConvolutionOfTheWholeImageIsDense) {
  const Graph graph = AfterConvolution(
      [](GraphBuilder& b, ValueId x) {
        return b.Add("Conv", {x, b.Random({5, 4, 6, 6})}, {5, 1, 1});
      },
      5);
  EXPECT_THAT(Layers(graph), ElementsAre(kConvolution, "dense 144 -> 5", "dense 5 -> 2 with bias"));
}

TEST(ConvertDenseTest, ANetworkThatEndsOtherwiseGetsAnIdentity) {
  GraphBuilder b({4});
  const ValueId y = b.Add("Relu", {b.Gemm(b.input(), 4, 3)}, {3});
  EXPECT_THAT(Layers(b.Finish({y})),
              ElementsAre("dense 4 -> 3 with bias", "PReLU", "dense 3 -> 3"));
}

TEST(ConvertConvolutionTest, ChannelShuffleGoesIntoTheWeights) {
  const Graph graph = AfterConvolution([](GraphBuilder& b, ValueId x) {
    const auto every_second = [&](std::int64_t start) {
      return b.Add("Slice", {x, b.Ints({start}), b.Ints({99}), b.Ints({1}), b.Ints({2})},
                   {2, 6, 6});
    };
    const ValueId shuffled =
        b.Add("Concat", {every_second(0), every_second(1)}, kImage, {{"axis", std::int64_t{1}}});
    return b.Conv(shuffled, kImage, 4, 3);
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kConvolution, HasSubstr("3x3"), kScores));
}

TEST(ConvertConvolutionTest, TransposedConvolutionOfStrideOne) {
  const Graph graph = AfterConvolution([](GraphBuilder& b, ValueId x) {
    return b.Add("ConvTranspose", {x, b.Random({4, 2, 3, 3}), b.Random({4})}, kImage,
                 {{"pads", Axes{1, 0, 1, 2}}, {"group", std::int64_t{2}}});
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kConvolution, HasSubstr("2 groups"), kScores));
}

TEST(ConvertConvolutionTest, AutomaticPadding) {
  for (const char* const mode : {"SAME_UPPER", "SAME_LOWER"}) {
    const Graph graph = AfterConvolution(
        [mode](GraphBuilder& b, ValueId x) {
          return b.Add("Conv", {x, b.Random({3, 4, 2, 2})}, {3, 6, 6},
                       {{"auto_pad", std::string(mode)}});
        },
        108);
    EXPECT_THAT(Layers(graph), ElementsAre(kConvolution, HasSubstr("zero padding"), _));
  }
}

TEST(ConvertConvolutionTest, PixelShuffleAndUnshuffle) {
  EXPECT_THAT(Layers(AfterConvolution([](GraphBuilder& b, ValueId x) {
                return b.Add("DepthToSpace", {x}, {1, 12, 12},
                             {{"blocksize", std::int64_t{2}}, {"mode", std::string("CRD")}});
              })),
              ElementsAre(kConvolution, kScores));
  const Graph unshuffled = AfterConvolution([](GraphBuilder& b, ValueId x) {
    const ValueId six = b.Add("Reshape", {x, b.Ints({-1, 4, 3, 2, 3, 2})}, {4, 3, 2, 3, 2});
    const ValueId turned =
        b.Add("Transpose", {six}, {4, 2, 2, 3, 3}, {{"perm", Axes{0, 1, 3, 5, 2, 4}}});
    const ValueId image = b.Add("Reshape", {turned, b.Ints({-1, 16, 3, 3})}, {16, 3, 3});
    return b.Conv(image, {16, 3, 3}, 16, 3);
  });
  EXPECT_THAT(Layers(unshuffled),
              ElementsAre(kConvolution, "permutation to [16, 3, 3]", HasSubstr("3x3"), kScores));
}

TEST(ConvertResidualTest, XPlusScaledConvolutionIsOneConvolution) {
  EXPECT_THAT(Layers(AfterConvolution([](GraphBuilder& b, ValueId x) {
                const ValueId k = b.Conv(x, kImage, 4, 3);
                return b.Add("Add", {x, b.Add("Mul", {k, b.Number(0.5F)}, kImage)}, kImage);
              })),
              ElementsAre(kConvolution, HasSubstr("3x3"), kScores));
}

TEST(ConvertResidualTest, ABranchThatSomebodyElseReadsIsNotFolded) {
  EXPECT_THAT(Layers(AfterConvolution([](GraphBuilder& b, ValueId x) {
                const ValueId k = b.Conv(x, kImage, 4, 3);
                const ValueId sum = b.Add("Add", {x, k}, kImage);
                return b.Add("Add", {sum, b.Add("Relu", {k}, kImage)}, kImage);
              })),
              ElementsAre(kConvolution, HasSubstr("3x3"), HasSubstr("sum"), "PReLU",
                          HasSubstr("sum"), kScores));
}

TEST(ConvertResidualTest, TwoBranches) {
  EXPECT_THAT(Layers(AfterConvolution([](GraphBuilder& b, ValueId x) {
                const ValueId relu = b.Add("Relu", {b.Conv(x, kImage, 4, 3)}, kImage);
                const ValueId y = b.Conv(relu, kImage, 4, 3);
                const ValueId one = b.Add("Mul", {x, b.Number(0.3F)}, kImage);
                const ValueId other = b.Add("Mul", {y, b.Number(0.7F)}, kImage);
                return b.Add("Sub", {one, other}, kImage);
              })),
              ElementsAre(kConvolution, HasSubstr("3x3"), "PReLU", HasSubstr("3x3"),
                          HasSubstr("1x1"), HasSubstr("sum"), kScores));
}

TEST(ConvertResidualTest, SumOfThree) {
  EXPECT_THAT(Layers(AfterConvolution([](GraphBuilder& b, ValueId x) {
                const ValueId relu = b.Add("Relu", {x}, kImage);
                const ValueId y = b.Add("Relu", {b.Conv(x, kImage, 4, 3)}, kImage);
                return b.Add("Sum", {x, relu, y}, kImage);
              })),
              ElementsAre(kConvolution, HasSubstr("3x3"), "PReLU", HasSubstr("sum"), "PReLU",
                          HasSubstr("sum"), kScores));
}

TEST(ConvertDenseTest, NumbersThatBecomeIntegersAreRefused) {
  GraphBuilder b({5});
  const ValueId y = b.Add("Cast", {b.input()}, {5}, {{"to", std::int64_t{7}}});
  EXPECT_THAT(WhyRefused(b.Finish({b.Gemm(y, 5, 2)})), HasSubstr("to: expected float or double"));
}

TEST(ConvertResidualTest, StepsDownAConvexPotential) {
  EXPECT_THAT(Layers(AfterConvolution([](GraphBuilder& b, ValueId x) {
                const ValueId kernel = b.Random({5, 4, 3, 3}, 0.1F);
                const ValueId hidden =
                    b.Add("Conv", {x, kernel, b.Random({5})}, {5, 6, 6}, {{"pads", Axes(4, 1)}});
                const ValueId back =
                    b.Add("ConvTranspose", {b.Add("Relu", {hidden}, {5, 6, 6}), kernel}, kImage,
                          {{"pads", Axes(4, 1)}});
                return b.Add("Sub", {x, b.Add("Mul", {back, b.Number(2.0F)}, kImage)}, kImage);
              })),
              ElementsAre(kConvolution, StartsWith("convex potential of convolution"), kScores));
}

TEST(ConvertResidualTest, LayerCentring) {
  EXPECT_THAT(Layers(AfterConvolution([](GraphBuilder& b, ValueId x) {
                const ValueId mean = b.Add("ReduceMean", {x, b.Ints({2, 3})}, {4, 1, 1});
                const ValueId centred = b.Add("Sub", {x, mean}, kImage);
                return b.Add("Add", {centred, b.Random({1, 4, 1, 1})}, kImage);
              })),
              ElementsAre(kConvolution, HasSubstr("6x6, circular padding, 4 groups"), kScores));
}

TEST(ConvertResidualTest, JoinedBranchesAreRefused) {
  EXPECT_THAT(WhyRefused(AfterConvolution(
                  [](GraphBuilder& b, ValueId x) {
                    const ValueId y = b.Conv(x, kImage, 4, 3);
                    return b.Add("Concat", {x, y}, {8, 6, 6}, {{"axis", std::int64_t{1}}});
                  },
                  288)),
              HasSubstr("adds branches, but cannot join them"));
}

TEST(ConvertResidualTest, ProductsOfTwoValuesAreRefused) {
  EXPECT_THAT(WhyRefused(AfterConvolution([](GraphBuilder& b, ValueId x) {
                return b.Add("Mul", {x, b.Add("Sigmoid", {x}, kImage)}, kImage);
              })),
              HasSubstr("got Sigmoid: it is smooth"));
  EXPECT_THAT(WhyRefused(AfterConvolution([](GraphBuilder& b, ValueId x) {
                return b.Add("Mul", {x, b.Add("Relu", {x}, kImage)}, kImage);
              })),
              HasSubstr("their product has no Lipschitz bound"));
  EXPECT_THAT(WhyRefused(AfterConvolution([](GraphBuilder& b, ValueId x) {
                return b.Add("Mul", {x, x}, kImage);
              })),
              HasSubstr("a square has no Lipschitz bound"));
}

TEST(ConvertBatchTest, OperatorsThatMixSamplesAreRefused) {
  GraphBuilder mean({4});
  const ValueId centre = mean.Add("ReduceMean", {mean.input(), mean.Ints({0})}, {4});
  EXPECT_THAT(WhyRefused(mean.Finish({mean.Add("Sub", {mean.input(), centre}, {4})})),
              HasSubstr("one along axis 0, the batch"));
  GraphBuilder turn({4, 4});
  const ValueId turned = turn.Add("Transpose", {turn.input()}, {4, 4}, {{"perm", Axes{1, 0, 2}}});
  EXPECT_THAT(WhyRefused(turn.Finish({turn.Scores(turned, 16)})),
              HasSubstr("perm: expected 3 axes, the batch first"));
}

}  // namespace
}  // namespace lipserve::exchange
