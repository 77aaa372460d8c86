// SPDX-License-Identifier: Apache-2.0
// Sorts and activations, as exporters spell them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/trainer/exchange/import/conversion_oracle.h"
#include "tests/trainer/exchange/import/graph_builder.h"

namespace lipserve::exchange {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Axes = std::vector<std::int64_t>;

// Two dense layers with `activation` between them: (builder, value of 8 numbers) -> value of
// `size`.
template <typename Activation>
Graph Between(std::int64_t size, Activation activation) {
  GraphBuilder builder({6});
  const ValueId hidden = builder.Gemm(builder.input(), 6, 8);
  const ValueId y = activation(builder, hidden);
  return builder.Finish({builder.Gemm(y, size, 3)});
}

// The same with images of 4 channels.
template <typename Activation>
Graph BetweenImages(Activation activation) {
  GraphBuilder builder({1, 3, 3});
  const ValueId hidden = builder.Conv(builder.input(), {1, 3, 3}, 4, 3);
  const ValueId y = activation(builder, hidden);
  return builder.Finish({builder.Scores(y, 36)});
}

constexpr char kFirst[] = "dense 6 -> 8 with bias";
constexpr char kLast[] = "dense 8 -> 3 with bias";

TEST(ConvertSortsTest, GroupSortByReduceMinAndReduceMax) {
  const Graph graph = Between(8, [](GraphBuilder& b, ValueId x) {
    const ValueId pairs = b.Add("Reshape", {x, b.Ints({-1, 4, 2})}, {4, 2});
    const ValueId low = b.Add("ReduceMin", {pairs, b.Ints({2})}, {4, 1});
    const ValueId high = b.Add("ReduceMax", {pairs, b.Ints({2})}, {4, 1});
    const ValueId both = b.Add("Concat", {low, high}, {4, 2}, {{"axis", std::int64_t{2}}});
    return b.Add("Reshape", {both, b.Ints({-1, 8})}, {8});
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kFirst, "group sort 2", kLast));
}

TEST(ConvertSortsTest, GroupSortWithAxesAsAnAttributeAndWithoutKeptDimensions) {
  const Graph graph = Between(8, [](GraphBuilder& b, ValueId x) {
    const ValueId pairs = b.Add("Reshape", {x, b.Ints({-1, 4, 2})}, {4, 2});
    const std::map<std::string, Attribute> axes = {{"axes", Axes{-1}},
                                                   {"keepdims", std::int64_t{0}}};
    const ValueId low = b.Add("ReduceMin", {pairs}, {4}, axes, 13);
    const ValueId high = b.Add("ReduceMax", {pairs}, {4}, axes, 13);
    const ValueId low_column = b.Add("Unsqueeze", {low, b.Ints({2})}, {4, 1});
    const ValueId high_column = b.Add("Unsqueeze", {high, b.Ints({2})}, {4, 1});
    const ValueId both =
        b.Add("Concat", {low_column, high_column}, {4, 2}, {{"axis", std::int64_t{-1}}});
    return b.Add("Flatten", {both}, {8});
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kFirst, "group sort 2", kLast));
}

// Min, Max and Concat of the parts of a Split along `axis` of a view of `dims`.
ValueId MinMax(GraphBuilder& b, ValueId x, Axes half, Axes whole, std::int64_t axis,
               const char* first, const char* second) {
  const auto parts = b.Nodes("Split", {x}, {half, half}, {{"axis", axis}}, 17);
  const ValueId one = b.Add(first, {parts[0], parts[1]}, half);
  const ValueId other = b.Add(second, {parts[0], parts[1]}, half);
  return b.Add("Concat", {one, other}, whole, {{"axis", axis}});
}

TEST(ConvertSortsTest, GroupSortBySplitMinMax) {
  const Graph graph = Between(8, [](GraphBuilder& b, ValueId x) {
    const ValueId pairs = b.Add("Reshape", {x, b.Ints({-1, 4, 2})}, {4, 2});
    const ValueId sorted = MinMax(b, pairs, {4, 1}, {4, 2}, 2, "Min", "Max");
    return b.Add("Reshape", {sorted, b.Ints({-1, 8})}, {8});
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kFirst, "group sort 2", kLast));
}

TEST(ConvertSortsTest, MaxMinOfHalves) {
  const Graph graph = Between(
      8, [](GraphBuilder& b, ValueId x) { return MinMax(b, x, {4}, {8}, 1, "Max", "Min"); });
  EXPECT_THAT(Layers(graph), ElementsAre(kFirst, "max-min", kLast));
}

TEST(ConvertSortsTest, MinMaxOfHalvesIsMaxMinInAnotherOrder) {
  const Graph graph = Between(
      8, [](GraphBuilder& b, ValueId x) { return MinMax(b, x, {4}, {8}, 1, "Min", "Max"); });
  EXPECT_THAT(Layers(graph), ElementsAre(kFirst, "max-min", kLast));
}

TEST(ConvertSortsTest, TheLargerNumbersAloneAreEnough) {
  const Graph graph = Between(4, [](GraphBuilder& b, ValueId x) {
    const auto parts = b.Nodes("Split", {x}, {{4}, {4}}, {{"axis", std::int64_t{1}}}, 17);
    return b.Add("Max", parts, {4});
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kFirst, "max-min", "dense 8 -> 3 with bias"));
}

TEST(ConvertSortsTest, PairsThatNoLayerSortsAreMovedTogether) {
  const Graph graph = Between(8, [](GraphBuilder& b, ValueId x) {
    const ValueId turned = b.Add("Reshape", {x, b.Ints({-1, 2, 2, 2})}, {2, 2, 2});
    const ValueId sorted = MinMax(b, turned, {2, 1, 2}, {2, 2, 2}, 2, "Min", "Max");
    return b.Add("Flatten", {sorted}, {8});
  });
  EXPECT_THAT(Layers(graph),
              ElementsAre(kFirst, "permutation to [8, 1, 1]", "group sort 2", kLast));
}

TEST(ConvertSortsTest, ChannelsOfImagesStayImages) {
  const Graph graph = BetweenImages([](GraphBuilder& b, ValueId x) {
    const ValueId sorted = MinMax(b, x, {2, 3, 3}, {4, 3, 3}, 1, "Max", "Min");
    return b.Conv(sorted, {4, 3, 3}, 4, 3);
  });
  EXPECT_THAT(Layers(graph), ElementsAre(StartsWith("convolution"), "max-min",
                                         StartsWith("convolution"), StartsWith("dense")));
}

TEST(ConvertSortsTest, FullSortByTopK) {
  const Graph graph = Between(8, [](GraphBuilder& b, ValueId x) {
    return b.Nodes("TopK", {x, b.Ints({8})}, {{8}, {8}}, {{"largest", std::int64_t{0}}})[0];
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kFirst, "group sort 8", kLast));
}

TEST(ConvertSortsTest, FullSortByNegTopKNeg) {
  const Graph graph = Between(8, [](GraphBuilder& b, ValueId x) {
    const ValueId negative = b.Add("Neg", {x}, {8});
    const auto sorted = b.Nodes("TopK", {negative, b.Ints({8})}, {{8}, {8}});
    return b.Add("Neg", {sorted[0]}, {8});
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kFirst, "group sort 8", kLast));
}

TEST(ConvertSortsTest, TheLargestThreeAreRefused) {
  const Graph graph = Between(3, [](GraphBuilder& b, ValueId x) {
    return b.Nodes("TopK", {x, b.Ints({3})}, {{3}, {3}})[0];
  });
  EXPECT_THAT(WhyRefused(graph), HasSubstr("node 1 (TopK): expected all numbers of the axis"));
}

TEST(ConvertSortsTest, NumbersThatAreScaledInSeveralWaysAreScaledFirst) {
  GraphBuilder b({6});
  const ValueId relu = b.Add("Relu", {b.Gemm(b.input(), 6, 8)}, {8});
  const ValueId scaled = b.Add("Mul", {relu, b.Random({8})}, {8});
  const ValueId sorted = MinMax(b, scaled, {4}, {8}, 1, "Max", "Min");
  EXPECT_THAT(Layers(b.Finish({b.Gemm(sorted, 8, 3)})),
              ElementsAre(kFirst, "PReLU", StartsWith("convolution [8, 1, 1]"), "max-min", kLast));
}

TEST(ConvertSortsTest, OverlappingGroupsAreRefused) {
  const Graph graph = Between(3, [](GraphBuilder& b, ValueId x) {
    const auto slice = [&](std::int64_t start) {
      return b.Add("Slice", {x, b.Ints({start}), b.Ints({start + 3}), b.Ints({1})}, {3});
    };
    return b.Add("Max", {slice(0), slice(1)}, {3});
  });
  EXPECT_THAT(WhyRefused(graph), HasSubstr("groups that do not overlap"));
}

TEST(ConvertActivationsTest, ReluHoweverItIsSpelled) {
  static constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto spelled = [](auto activation) { return Layers(Between(8, activation)); };
  const auto expected = ElementsAre(kFirst, "PReLU", kLast);
  EXPECT_THAT(spelled([](GraphBuilder& b, ValueId x) { return b.Add("Relu", {x}, {8}); }),
              expected);
  EXPECT_THAT(spelled([](GraphBuilder& b, ValueId x) {
                return b.Add("Max", {x, b.Number(0.0F)}, {8});
              }),
              expected);
  EXPECT_THAT(spelled([](GraphBuilder& b, ValueId x) {
                return b.Add("Clip", {x, b.Number(0.0F)}, {8});
              }),
              expected);
  EXPECT_THAT(spelled([](GraphBuilder& b, ValueId x) {
                return b.Add("Clip", {x}, {8}, {{"min", 0.0F}, {"max", kInfinity}}, 7);
              }),
              expected);
  EXPECT_THAT(spelled([](GraphBuilder& b, ValueId x) {
                return b.Add("PRelu", {x, b.Floats({1}, {0.0F})}, {8});
              }),
              expected);
}

TEST(ConvertActivationsTest, LeakyReluAndPRelu) {
  EXPECT_THAT(
      Layers(Between(8, [](GraphBuilder& b, ValueId x) { return b.Add("LeakyRelu", {x}, {8}); })),
      ElementsAre(kFirst, "PReLU", kLast));
  EXPECT_THAT(Layers(BetweenImages([](GraphBuilder& b, ValueId x) {
                return b.Add("PRelu", {x, b.Random({4, 1, 1})}, {4, 3, 3});
              })),
              ElementsAre(StartsWith("convolution"), "PReLU", StartsWith("dense")));
}

TEST(ConvertActivationsTest, LeakyReluByTwoRelus) {
  const Graph graph = Between(8, [](GraphBuilder& b, ValueId x) {
    const ValueId positive = b.Add("Relu", {x}, {8});
    const ValueId negative = b.Add("Relu", {b.Add("Neg", {x}, {8})}, {8});
    const ValueId scaled = b.Add("Mul", {b.Number(0.1F), negative}, {8});
    return b.Add("Sub", {positive, scaled}, {8});
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kFirst, "PReLU", kLast));
}

TEST(ConvertActivationsTest, ConcatenatedRelu) {
  const Graph graph = Between(16, [](GraphBuilder& b, ValueId x) {
    const ValueId positive = b.Add("Relu", {x}, {8});
    const ValueId negative = b.Add("Relu", {b.Add("Neg", {x}, {8})}, {8});
    return b.Add("Concat", {positive, negative}, {16}, {{"axis", std::int64_t{1}}});
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kFirst, "concatenated ReLU", "dense 16 -> 3 with bias"));
}

TEST(ConvertActivationsTest, ClipAbsAndLimits) {
  EXPECT_THAT(Layers(Between(8,
                             [](GraphBuilder& b, ValueId x) {
                               return b.Add("Clip", {x, b.Number(0.0F), b.Number(6.0F)}, {8});
                             })),
              ElementsAre(kFirst, "clip to [0, 6]", kLast));
  EXPECT_THAT(Layers(Between(8, [](GraphBuilder& b, ValueId x) { return b.Add("Abs", {x}, {8}); })),
              ElementsAre(kFirst, "absolute value", kLast));
  EXPECT_THAT(Layers(Between(8,
                             [](GraphBuilder& b, ValueId x) {
                               return b.Add("Min", {x, b.Number(0.5F)}, {8});
                             })),
              ElementsAre(kFirst, HasSubstr("0.5]"), kLast));
}

TEST(ConvertActivationsTest, ReluAfterAShiftThatCannotBeFolded) {
  GraphBuilder b({6});
  const ValueId shifted = b.Add("Add", {b.input(), b.Random({6})}, {6});
  const ValueId relu = b.Add("Relu", {shifted}, {6});
  EXPECT_THAT(Layers(b.Finish({b.Gemm(relu, 6, 2)})),
              ElementsAre(StartsWith("convolution [6, 1, 1]"), "PReLU", "dense 6 -> 2 with bias"));
}

TEST(ConvertActivationsTest, ReluOfANegativeScale) {
  const Graph graph = Between(8, [](GraphBuilder& b, ValueId x) {
    const ValueId one = b.Add("Relu", {x}, {8});
    const ValueId scaled = b.Add("Mul", {one, b.Number(-2.0F)}, {8});
    return b.Add("Relu", {b.Add("Neg", {scaled}, {8})}, {8});
  });
  EXPECT_THAT(Layers(graph), ElementsAre(kFirst, "PReLU", "PReLU", kLast));
}

// deel-torchlip's Householder: masks choose between halves (x, y) and their reflection by an angle.
// `wrong` is added to one number of the reflection.
Graph WithHouseholder(float wrong) {
  return Between(8, [wrong](GraphBuilder& b, ValueId z) {
    const auto halves = b.Nodes("Split", {z}, {{4}, {4}}, {{"axis", std::int64_t{1}}}, 17);
    const ValueId x = halves[0];
    const ValueId y = halves[1];
    const auto scaled = [&](ValueId half, double factor) {
      return b.Add("Mul", {half, b.Number(static_cast<float>(factor))}, {4});
    };
    constexpr double kAngle = 0.9;
    const ValueId selector =
        b.Add("Sub", {scaled(x, std::sin(kAngle / 2)), scaled(y, std::cos(kAngle / 2))}, {4});
    const ValueId x_turned =
        b.Add("Add", {scaled(x, std::cos(kAngle)), scaled(y, std::sin(kAngle))}, {4});
    const ValueId y_turned = b.Add(
        "Sub",
        {scaled(x, std::sin(kAngle)), scaled(y, std::cos(kAngle) + static_cast<double>(wrong))},
        {4});
    const auto mask = [&](const char* op) {
      return b.Add("Cast", {b.Add(op, {selector, b.Number(0.0F)}, {4})}, {4},
                   {{"to", std::int64_t{1}}});
    };
    const ValueId stays = mask("LessOrEqual");
    const ValueId turns = mask("Greater");
    const auto chosen = [&](ValueId as_is, ValueId turned) {
      return b.Add("Add", {b.Add("Mul", {as_is, stays}, {4}), b.Add("Mul", {turned, turns}, {4})},
                   {4});
    };
    return b.Add("Concat", {chosen(x, x_turned), chosen(y, y_turned)}, {8},
                 {{"axis", std::int64_t{1}}});
  });
}

TEST(ConvertActivationsTest, Householder) {
  EXPECT_THAT(Layers(WithHouseholder(0.0F)), ElementsAre(kFirst, "Householder", kLast));
}

TEST(ConvertActivationsTest, WhatIsNoReflectionIsNoHouseholder) {
  EXPECT_THAT(WhyRefused(WithHouseholder(0.01F)), HasSubstr("(LessOrEqual): expected an operator"));
}

TEST(ConvertActivationsTest, SmoothOnesAreRefusedInTheWordsOfTheirUsers) {
  const auto refused = [](const char* op) {
    return WhyRefused(Between(8, [op](GraphBuilder& b, ValueId x) { return b.Add(op, {x}, {8}); }));
  };
  EXPECT_THAT(refused("Tanh"), HasSubstr("test.onnx: node 1 (Tanh): expected an operator"));
  EXPECT_THAT(refused("Sigmoid"), HasSubstr("got Sigmoid: it is smooth"));
  EXPECT_THAT(refused("Gelu"), HasSubstr("got Gelu: it is smooth"));
  EXPECT_THAT(refused("Sign"), HasSubstr("it jumps"));
  EXPECT_THAT(refused("FancyRelu"), HasSubstr("got FancyRelu"));
}

}  // namespace
}  // namespace lipserve::exchange
