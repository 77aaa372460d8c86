// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/lifted_branch.h"

#include <cmath>
#include <cstddef>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "model/certificate/layer_bounds.h"
#include "tests/trainer/image_check.h"

namespace lipserve::trainer {
namespace {

constexpr SampleShape kBranchVector{6, 1, 1};
constexpr SampleShape kBranchImage{3, 4, 5};

struct Branch {
  const char* name;
  SampleShape input;
  std::vector<FrozenLayer> layers;
};

// A layer with a proven norm of 1.
template <typename Layer>
FrozenLayer OfNormOne(Layer layer, std::size_t weights, std::size_t outputs,
                      std::mt19937_64& random) {
  layer.weights = RandomNumbers(weights, random);
  FrozenLayer frozen = layer;
  EXPECT_TRUE(ClaimOperatorNorm(frozen).ok());
  const auto norm = static_cast<float>(std::get<Layer>(frozen).claimed_operator_norm_bound);
  for (float& weight : layer.weights) weight /= norm;
  layer.bias = RandomNumbers(outputs, random);
  return layer;
}

FrozenLayer NormOneDense(std::size_t inputs, std::size_t outputs, std::mt19937_64& random) {
  DenseLayer dense;
  dense.inputs = inputs;
  dense.outputs = outputs;
  return OfNormOne(dense, inputs * outputs, outputs, random);
}

FrozenLayer NormOneConvolution(std::size_t inputs, std::size_t outputs, std::mt19937_64& random,
                               PaddingMode mode = PaddingMode::kZero, std::size_t groups = 1,
                               WindowAxis axis = kSame3) {
  const ConvolutionLayer layer =
      Geometry({inputs, kBranchImage.height, kBranchImage.width}, outputs, axis, mode, groups);
  return OfNormOne(layer, outputs * layer.fan_in(), outputs, random);
}

std::vector<Branch> Branches(std::mt19937_64& random) {
  const auto dense = [&](std::size_t in, std::size_t out) { return NormOneDense(in, out, random); };
  const PReluLayer slopes{{0.5F, -0.25F, 0.0F, 1.0F}};
  const HouseholderLayer lines{{1.0F, 0.5F, -0.3F, 1.2F}};
  const WindowAxis even{.size = 2, .dilation = 2, .padding_before = 0, .padding_after = 2};
  return {
      {"a matrix alone", kBranchVector, {dense(6, 6)}},
      {"no activation", kBranchVector, {dense(6, 5), dense(5, 6)}},
      {"ends in an activation", kBranchVector, {dense(6, 6), AbsLayer{}}},
      {"MaxMin", kBranchVector, {dense(6, 4), MaxMinLayer{}, dense(4, 6)}},
      {"GroupSort2 of a wide branch",
       kBranchVector,
       {dense(6, 10), GroupSortLayer{2}, dense(10, 6)}},
      {"Householder", kBranchVector, {dense(6, 4), lines, dense(4, 6)}},
      {"PReLU", kBranchVector, {dense(6, 4), slopes, dense(4, 6)}},
      {"three matrices",
       kBranchVector,
       {dense(6, 4), MaxMinLayer{}, dense(4, 8), AbsLayer{}, dense(8, 6), MaxMinLayer{}}},
      {"a convolution alone", kBranchImage, {NormOneConvolution(3, 3, random)}},
      {"an odd number of channels beside pairs",
       kBranchImage,
       {NormOneConvolution(3, 4, random), GroupSortLayer{2},
        NormOneConvolution(4, 3, random, PaddingMode::kCircular)}},
      {"groups, then an activation that ends",
       kBranchImage,
       {NormOneConvolution(3, 6, random, PaddingMode::kReflect, 3), MaxMinLayer{},
        NormOneConvolution(6, 3, random, PaddingMode::kZero, 3), AbsLayer{}}},
      {"windows without a centre",
       kBranchImage,
       {NormOneConvolution(3, 4, random, PaddingMode::kReplicate, 1, even), lines,
        NormOneConvolution(4, 3, random)}},
  };
}

std::vector<double> Compute(const std::vector<FrozenLayer>& layers, SampleShape shape,
                            std::vector<double> x) {
  for (const FrozenLayer& layer : layers) {
    x = std::visit(LayerDefinition<double>{x, shape}, layer);
    shape = OutputShape(layer, shape);
  }
  return x;
}

TEST(LiftedBranchTest, TheChainIsTheBlock) {
  std::mt19937_64 random(51);
  for (const Branch& branch : Branches(random)) {
    SCOPED_TRACE(branch.name);
    for (const double a : {0.5, 0.2, 0.999}) {
      const std::vector<FrozenLayer> chain = LiftBranch(branch.layers, branch.input, a);
      for (int trial = 0; trial < 5; ++trial) {
        const std::vector<float> numbers = RandomNumbers(branch.input.size(), random);
        const std::vector<double> x(numbers.begin(), numbers.end());
        const std::vector<double> f = Compute(branch.layers, branch.input, x);
        const std::vector<double> y = Compute(chain, branch.input, x);
        ASSERT_EQ(y.size(), x.size());
        // Weights are rounded to float32.
        for (std::size_t k = 0; k < x.size(); ++k) {
          EXPECT_NEAR(y[k], a * x[k] + (1.0 - a) * f[k], 1e-5) << k;
        }
      }
    }
  }
}

TEST(LiftedBranchTest, TheChainIsProvenOneLipschitz) {
  std::mt19937_64 random(52);
  for (const Branch& branch : Branches(random)) {
    SCOPED_TRACE(branch.name);
    for (const double a : {0.5, 0.2}) {
      double constant = 1.0;
      SampleShape shape = branch.input;
      for (FrozenLayer& layer : LiftBranch(branch.layers, branch.input, a)) {
        ASSERT_TRUE(ClaimOperatorNorm(layer).ok());
        ASSERT_FALSE(OnlyMovesNumbers(layer));
        constant *= BoundsOf(layer, shape).operator_norm.value();
        shape = OutputShape(layer, shape);
      }
      EXPECT_LE(constant, 1.0 + 1e-6);
    }
  }
}

TEST(LiftedBranchTest, EveryChainIsOneThatAModelMayHave) {
  std::mt19937_64 random(53);
  for (const Branch& branch : Branches(random)) {
    SCOPED_TRACE(branch.name);
    SampleShape shape = branch.input;
    for (const FrozenLayer& layer : branch.layers) {
      EXPECT_TRUE(CanBeLifted(layer, shape));
      shape = OutputShape(layer, shape);
    }
    FrozenNetwork network{.input_shape = branch.input,
                          .layers = LiftBranch(branch.layers, branch.input, 0.5)};
    network.layers.emplace_back(FlattenLayer{});
    network.layers.push_back(NormOneDense(branch.input.size(), 2, random));
    EXPECT_TRUE(CheckNetwork(network).ok()) << CheckNetwork(network);
  }
}

TEST(LiftedBranchTest, RefusesWhatHasNoChannelsToGoRound) {
  std::mt19937_64 random(54);
  EXPECT_FALSE(CanBeLifted(NormOneDense(60, 60, random), kBranchImage));
  EXPECT_FALSE(CanBeLifted(GroupSortLayer{3}, kBranchImage));
  EXPECT_FALSE(CanBeLifted(FlattenLayer{}, kBranchImage));
  EXPECT_FALSE(CanBeLifted(ConcatenatedReluLayer{}, kBranchImage));
  EXPECT_FALSE(CanBeLifted(Geometry(kBranchImage, 3, {.size = 2, .stride = 2}), kBranchImage));
  EXPECT_FALSE(CanBeLifted(Geometry(kBranchImage, 3, {.size = 3}), kBranchImage));
  // Its taps lie on even displacements of odd ones.
  EXPECT_FALSE(
      CanBeLifted(Geometry(kBranchImage, 3,
                           {.size = 2, .dilation = 2, .padding_before = 1, .padding_after = 1}),
                  kBranchImage));
}

}  // namespace
}  // namespace lipserve::trainer
