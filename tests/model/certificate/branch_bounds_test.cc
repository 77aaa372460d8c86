// SPDX-License-Identifier: Apache-2.0
// Bounds of sums, clips and max pools, and of networks that branch (certificate/LAYERS.md, Lemma
// 11), against what random networks do in quadruple precision.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "model/certificate/certificate.h"
#include "model/certificate/layer_bounds.h"
#include "model/certificate/network_bounds.h"
#include "model/execution/float64_network.h"
#include "model/execution/inference_graph.h"
#include "tests/model/lemma_formula.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/quad_network.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

Quad NormOf(const std::vector<Quad>& x) {
  Quad squares = 0;
  for (const Quad value : x) squares += value * value;
  return QuadSqrt(squares);
}

Quad Distance(const std::vector<Quad>& a, std::vector<Quad> b) {
  for (std::size_t k = 0; k < b.size(); ++k) b[k] -= a[k];
  return NormOf(b);
}

// A max pool whose windows of 3 move by 1 and by 2: the number in the middle is read 3 x 2 times.
constexpr MaxPoolLayer kOverlapping{.vertical = {.size = 3},
                                    .horizontal = {.size = 3, .stride = 2}};
constexpr SampleShape kImage{.channels = 2, .height = 5, .width = 5};

TEST(BranchBoundsTest, AMaxPoolStretchesByTheRootOfTheMostReadsAndNoMore) {
  const double bound = BoundsOf(kOverlapping, kImage).operator_norm.value();
  EXPECT_GE(static_cast<Quad>(bound) * bound, static_cast<Quad>(6));
  EXPECT_LE(bound, std::sqrt(6.0) * (1.0 + 1e-14));
  // The largest number of six windows moves by 1.
  std::vector<Quad> x(kImage.size());
  x[2 * 5 + 2] = 8;
  const auto before = QuadLayer{x, kImage}(kOverlapping);
  x[2 * 5 + 2] = 9;
  EXPECT_EQ(static_cast<double>(Distance(before, QuadLayer{x, kImage}(kOverlapping))),
            std::sqrt(6.0));
}

TEST(BranchBoundsTest, NoPairIsStretchedByMoreThanTheBound) {
  std::mt19937_64 random(1);
  const WindowAxis padded{.size = 3, .stride = 2, .padding_before = 1, .padding_after = 2};
  const FrozenLayer layers[] = {
      kOverlapping, MaxPoolLayer{.vertical = padded, .horizontal = padded},
      MaxPoolLayer{.vertical = {.size = 2, .stride = 2}}, ClipLayer{.low = -0.1F, .high = 0.3F}};
  for (const FrozenLayer& layer : layers) {
    const double bound =
        OnlyMovesNumbers(layer) ? 1.0 : BoundsOf(layer, kImage).operator_norm.value();
    for (int trial = 0; trial < 500; ++trial) {
      std::vector<Quad> x[2];
      std::vector<Quad> y[2];
      for (int side = 0; side < 2; ++side) {
        const std::vector<float> numbers = RandomFloats(random, kImage.size(), 1.0);
        x[side].assign(numbers.begin(), numbers.end());
        y[side] = std::visit(QuadLayer{x[side], kImage}, layer);
      }
      ASSERT_LE(Distance(y[0], y[1]), bound * Distance(x[0], x[1])) << DescribeLayer(layer);
    }
  }
}

TEST(BranchBoundsTest, WhatAClipMakesOfZerosCounts) {
  for (const ClipLayer clip : {ClipLayer{.low = 0.5F, .high = 2.0F}, ClipLayer{-3.0F, -0.5F},
                               ClipLayer{-1.0F, 1.0F}, ClipLayer{0.25F, 0.25F}}) {
    const LayerBounds bounds = BoundsOf(clip, kImage);
    const std::vector<Quad> zeros(kImage.size());
    const Quad norm = NormOf(QuadLayer{zeros, kImage}(clip));
    EXPECT_GE(bounds.bias_norm.value(), norm);
    EXPECT_LE(bounds.bias_norm.value(), static_cast<double>(norm) * (1.0 + 1e-9) + 1e-100);
    EXPECT_TRUE(bounds.is_exact);
  }
}

DenseLayer Diagonal(std::size_t n, float value) {
  DenseLayer layer{.inputs = n, .outputs = n, .weights = std::vector<float>(n * n), .bias = {}};
  for (std::size_t k = 0; k < n; ++k) layer.weights[k * n + k] = value;
  layer.claimed_operator_norm_bound = std::fabs(static_cast<double>(value)) * (1.0 + 1e-12);
  return layer;
}

// 2 x + 3 x, then scores.
FrozenNetwork TwoBranches(float a, float b) {
  return {.input_shape = {.channels = 2, .height = 1, .width = 1},
          .layers = {Diagonal(2, a), Diagonal(2, b), SumLayer{.other = 1}, Diagonal(2, 1.0F)},
          .inputs = {0, 0, 2, 3}};
}

TEST(BranchBoundsTest, TheLipschitzConstantOfASumIsTheSumOfThoseOfItsValues) {
  const auto bounds = NetworkBounds::Create(TwoBranches(2.0F, 3.0F));
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  EXPECT_GE(bounds->hidden_lipschitz().value(), 5.0);
  EXPECT_LE(bounds->hidden_lipschitz().value(), 5.0 * (1.0 + 1e-11));
  EXPECT_EQ(bounds->layer_lipschitz()[2], 1.0);
}

TEST(BranchBoundsTest, TheNormsOfBothValuesOfASumCountTowardsTheLimit) {
  FrozenNetwork network = TwoBranches(0x1p111F, 0x1p-100F);  // 2^139 2^111 is the limit
  EXPECT_FALSE(NetworkBounds::Create(network).ok());
  network = TwoBranches(0x1p110F, 0x1p-100F);
  EXPECT_TRUE(NetworkBounds::Create(network).ok());
  network = TwoBranches(0x1p110F, 0x1p110F);
  EXPECT_THAT(std::string(NetworkBounds::Create(network).status().message()),
              HasSubstr("layer 2 (sum with value 1)"));
}

// Two roots of one number each, 2^499 times: 2^500 together, the limit.
TEST(BranchBoundsTest, TheRootsOfBothValuesOfASumCount) {
  const auto with_growth = [](int exponent) {
    std::vector<FrozenLayer> layers;
    const auto scale = [&](int by) {
      for (; by != 0; by -= std::clamp(by, -100, 100)) {
        layers.emplace_back(AveragePoolLayer{.scale = std::ldexp(1.0F, std::clamp(by, -100, 100))});
      }
    };
    scale(-700);
    layers.emplace_back(L2NormPoolLayer{});
    layers.emplace_back(SumLayer{.other = layers.size()});
    scale(exponent);
    layers.push_back(Diagonal(1, 1.0F));
    const FrozenNetwork network{.input_shape = {1, 1, 1}, .layers = std::move(layers)};
    EXPECT_TRUE(CheckNetwork(network).ok()) << CheckNetwork(network);
    return NetworkBounds::Create(network).ok();
  };
  EXPECT_TRUE(with_growth(498));
  EXPECT_FALSE(with_growth(499));
}

// The errors of Lemma 2 with a sum: of both values, and of its own additions.
TEST(BranchBoundsTest, NoErrorOfASumIsBelowTheLemma) {
  LemmaTerms terms;
  const NetworkBounds bounds = *NetworkBounds::Create(TwoBranches(1.0F, 1.0F));
  const Certifier certifier(bounds);
  const Quad distance = QuadSqrt(static_cast<Quad>(2));  // of the last layer's rows
  const Quad gamma2 = QuadGamma(2, kUnitRoundoff32);
  const Quad gamma3 = QuadGamma(3, kUnitRoundoff32);
  // The norms of what the layers read; each of the two diagonals, the sum, the scores.
  for (const std::vector<double>& norms :
       {std::vector<double>{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}) {
    terms.Add("first value", distance * gamma3 * QuadSqrt(static_cast<Quad>(2)) * norms[0] / 2);
    terms.Add("second value", distance * gamma3 * QuadSqrt(static_cast<Quad>(2)) * norms[1] / 2);
    terms.Add("additions", distance * gamma2 * norms[2]);
    terms.Add("scores", gamma3 * norms[3]);
    const std::vector<Upper> upper(norms.begin(), norms.end());
    EXPECT_GE(static_cast<Quad>(
                  certifier.ScoreDifferenceError(0, 1, upper, Arithmetic::kFloat32).value()),
              terms.sum());
    terms.Finish();
  }
  terms.ExpectEachHadAShareAbove(0.9);
}

// What both arithmetics compute of random networks that branch errs by no more than the certificate
// allows, and the Lipschitz constant holds between random inputs.
TEST(BranchBoundsTest, RandomNetworksStayWithinTheirErrorAndLipschitzConstant) {
  std::mt19937_64 random(2);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const FrozenNetwork network = RandomBranchingNetwork(seed, 3);
    const auto bounds = NetworkBounds::Create(network);
    ASSERT_TRUE(bounds.ok()) << bounds.status();
    const Certifier certifier(*bounds);
    const InferenceGraph graph(network, 1);
    const Float64Network float64(network, 1);
    auto workspace32 = graph.NewWorkspace();
    auto workspace64 = float64.NewWorkspace();
    std::vector<std::vector<Quad>> hidden;
    std::vector<std::vector<Quad>> inputs;
    for (const double scale : {1.0, 1e-3, 1e6}) {
      const std::vector<float> x = RandomFloats(random, network.input_shape.size(), scale);
      inputs.emplace_back(x.begin(), x.end());
      const auto values = NetworkValues(network, inputs.back());
      hidden.push_back(values[values.size() - 2]);
      const std::vector<Quad>& exact = values.back();
      std::vector<float> scores32(3);
      std::vector<double> scores64(3);
      std::vector<Upper> norms32(graph.num_rounding_layers());
      std::vector<Upper> norms64(norms32.size());
      graph.Run({x.data(), 1, x.size()}, workspace32, {scores32.data(), 1, 3}, norms32);
      float64.Run({x.data(), 1, x.size()}, workspace64, scores64, norms64);
      for (const std::size_t i : {0U, 1U, 2U}) {
        const std::size_t j = (i + 1) % 3;
        const Quad difference = exact[i] - exact[j];
        const auto error = [&](Quad a, Quad b) { return QuadAbs(a - b - difference); };
        EXPECT_LE(error(scores32[i], scores32[j]),
                  certifier.ScoreDifferenceError(i, j, norms32, Arithmetic::kFloat32).value());
        EXPECT_LE(error(scores64[i], scores64[j]),
                  certifier.ScoreDifferenceError(i, j, norms64, Arithmetic::kFloat64).value());
      }
    }
    for (std::size_t other = 1; other < inputs.size(); ++other) {
      EXPECT_LE(Distance(hidden[0], hidden[other]),
                bounds->hidden_lipschitz().value() * Distance(inputs[0], inputs[other]));
    }
  }
}

}  // namespace
}  // namespace lipserve
