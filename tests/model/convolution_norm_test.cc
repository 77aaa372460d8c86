// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/convolution_norm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "model/certificate/circular_embedding.h"
#include "model/certificate/convolution_gram.h"
#include "model/certificate/operator_norm.h"
#include "tests/model/dense_convolution.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

constexpr std::array<PaddingMode, 4> kModes = {PaddingMode::kZero, PaddingMode::kReflect,
                                               PaddingMode::kReplicate, PaddingMode::kCircular};

// An axis at random that CheckNetwork accepts: even and odd sizes, windows larger than half of the
// image, strides, dilations and unequal paddings.
WindowAxis RandomAxis(std::mt19937_64& random, PaddingMode mode, std::size_t length) {
  while (true) {
    const WindowAxis axis{.size = 1 + random() % 5,
                          .stride = 1 + random() % 3,
                          .dilation = 1 + random() % 2,
                          .padding_before = random() % 4,
                          .padding_after = random() % 4};
    if (IsValidPadding(axis, mode, length) && axis.outputs(length) >= 1) return axis;
  }
}

ConvolutionLayer RandomLayer(std::mt19937_64& random, PaddingMode mode) {
  const std::size_t groups = 1 + random() % 2;
  const SampleShape input{.channels = groups * (1 + random() % 2),
                          .height = 2 + random() % 5,
                          .width = 2 + random() % 5};
  ConvolutionLayer layer =
      RandomConvolution(random, input, groups * (1 + random() % 2), {}, mode, groups);
  layer.vertical = RandomAxis(random, mode, input.height);
  layer.horizontal = RandomAxis(random, mode, input.width);
  layer.weights = RandomFloats(random, layer.output_channels * layer.fan_in(), 1.0);
  return layer;
}

FrozenNetwork NetworkOf(const ConvolutionLayer& layer) {
  FrozenNetwork network;
  network.input_shape = layer.input;
  network.layers = {layer, FlattenLayer{},
                    DenseLayer{.inputs = layer.output().size(),
                               .outputs = 1,
                               .weights = std::vector<float>(layer.output().size(), 1.0F),
                               .bias = {},
                               .claimed_operator_norm_bound = 0.0}};
  return network;
}

TEST(ConvolutionNormTest, BoundIsNeverBelowAndCloseAboveTheLargestSingularValue) {
  std::mt19937_64 random(1);
  for (std::size_t trial = 0; trial < 200; ++trial) {
    const ConvolutionLayer layer = RandomLayer(random, kModes[trial % 4]);
    SCOPED_TRACE(DescribeLayer(layer));
    ASSERT_TRUE(CheckNetwork(NetworkOf(layer)).ok()) << CheckNetwork(NetworkOf(layer));
    const auto bound = BoundConvolutionNorm(layer);
    ASSERT_TRUE(bound.ok()) << bound.status();
    const QuadMatrix t = DenseMatrix(layer, Weights::kSigned);
    if (*bound == 0.0) {
      EXPECT_EQ(QuadNorm(t), 0.0);
    } else {
      EXPECT_TRUE(QuadNormIsBelow(t, *bound));
      EXPECT_FALSE(QuadNormIsBelow(t, *bound * (1.0 - 3e-10)));
    }
    EXPECT_TRUE(ProveConvolutionNormAtMost(layer, *bound).ok());
  }
}

TEST(ConvolutionNormTest, ClaimsJustBelowTheTruthAreRefusedAndJustAboveProven) {
  std::mt19937_64 random(2);
  for (const PaddingMode mode : kModes) {
    for (int trial = 0; trial < 10; ++trial) {
      const ConvolutionLayer layer = RandomLayer(random, mode);
      SCOPED_TRACE(DescribeLayer(layer));
      const double norm = QuadNorm(DenseMatrix(layer, Weights::kSigned));
      if (norm == 0.0) continue;
      EXPECT_FALSE(ProveConvolutionNormAtMost(layer, norm * (1.0 - 1e-12)).ok());
      EXPECT_FALSE(ProveConvolutionNormAtMost(layer, norm * 0.5).ok());
      EXPECT_TRUE(ProveConvolutionNormAtMost(layer, norm * (1.0 + 1e-9)).ok());
      EXPECT_TRUE(ProveConvolutionNormAtMost(layer, norm * 10.0).ok());
    }
  }
}

// The bound that the embedding proves, whatever the size of the layer.
double BoundByEmbedding(const ConvolutionLayer& layer) {
  EmbeddingNormProof proof(layer, *EmbeddingTorus(layer));
  return SearchNormBound(proof, proof.OrderByEstimate(), 1e-11).value();
}

TEST(ConvolutionNormTest, TheEmbeddingIsNeverBelowTheTruth) {
  std::mt19937_64 random(3);
  int embedded = 0;
  for (int trial = 0; trial < 300; ++trial) {
    const ConvolutionLayer layer =
        RandomLayer(random, trial % 3 == 0 ? PaddingMode::kCircular : PaddingMode::kZero);
    if (!EmbeddingTorus(layer)) continue;
    ++embedded;
    EXPECT_TRUE(QuadNormIsBelow(DenseMatrix(layer, Weights::kSigned), BoundByEmbedding(layer)))
        << DescribeLayer(layer);
  }
  EXPECT_GT(embedded, 200);
}

TEST(ConvolutionNormTest, CircularPaddingIsExactOnItsOwnTorus) {
  std::mt19937_64 random(4);
  for (int trial = 0; trial < 40; ++trial) {
    const std::size_t stride = 1 + random() % 2;
    const WindowAxis axis{.size = 1 + random() % 4, .stride = stride, .dilation = 1};
    const auto on_torus = [&](std::size_t length) {
      WindowAxis result = axis;
      result.padding_before = random() % (axis.size + 1);
      while (result.outputs(length) * stride < length) ++result.padding_after;
      return result;
    };
    ConvolutionLayer layer = RandomConvolution(random, {2, stride * (2 + random() % 2), 4}, 3, axis,
                                               PaddingMode::kCircular);
    layer.vertical = on_torus(layer.input.height);
    layer.horizontal = on_torus(layer.input.width);
    SCOPED_TRACE(DescribeLayer(layer));
    if (!CheckNetwork(NetworkOf(layer)).ok() || !EmbeddingTorus(layer)) continue;
    if (!EmbeddingTorus(layer)->is_exact) continue;
    EXPECT_EQ(*ChooseConvolutionNormMethod(layer), ConvolutionNormMethod::kCircularEmbedding);
    const double bound = BoundByEmbedding(layer);
    const QuadMatrix t = DenseMatrix(layer, Weights::kSigned);
    EXPECT_TRUE(QuadNormIsBelow(t, bound));
    EXPECT_FALSE(QuadNormIsBelow(t, bound * (1.0 - 1e-10)));
    const BandedNormProof banded(layer);
    EXPECT_NEAR(*SearchNormBound(banded, banded.EigenvalueOf(bound * (1.0 - 1e-9)), 1e-11), bound,
                1e-9 * bound);
  }
}

// ||C_N||_2 for a circular convolution of one channel with an outer product, straight from its
// symbol: what a shortcut would take for the norm with zero padding.
double CircularNorm(const std::vector<double>& kernel, std::size_t n) {
  double largest = 0.0;
  for (std::size_t k = 0; k < n; ++k) {
    double re = 0.0;
    double im = 0.0;
    for (std::size_t t = 0; t < kernel.size(); ++t) {
      const double angle = 2.0 * M_PI * static_cast<double>(k * t) / static_cast<double>(n);
      re += kernel[t] * std::cos(angle);
      im += kernel[t] * std::sin(angle);
    }
    largest = std::max(largest, std::hypot(re, im));
  }
  return largest;
}

TEST(ConvolutionNormTest, TheCircularNormAtTheSizeOfTheImageIsNoBound) {
  for (const std::size_t height : {5U, 7U, 9U, 27U}) {
    const ConvolutionLayer layer = SeparableConvolution(height, 1, {1, -2, 1}, {1});
    const double norm = QuadNorm(DenseMatrix(layer, Weights::kSigned));
    const double circular = CircularNorm({1, -2, 1}, height);
    EXPECT_LT(circular, norm) << height;
    EXPECT_FALSE(ProveConvolutionNormAtMost(layer, circular).ok());
    EXPECT_GE(*BoundConvolutionNorm(layer), norm);
    // The embedding's torus is larger by the padding.
    EXPECT_EQ(EmbeddingTorus(layer)->height, height + 1);
    EXPECT_GE(BoundByEmbedding(layer), norm);
    EXPECT_NEAR(BoundByEmbedding(layer), CircularNorm({1, -2, 1}, height + 1), 1e-9);
  }
  // The figures of the specification, 7 rows.
  EXPECT_NEAR(QuadNorm(DenseMatrix(SeparableConvolution(7, 1, {1, -2, 1}, {1}), Weights::kSigned)),
              3.848, 1e-3);
  EXPECT_NEAR(CircularNorm({1, -2, 1}, 7), 3.802, 1e-3);
}

// Padding beyond the window makes more outputs than inputs: a torus of H + padding would fold two
// outputs into one, and with a window of one pixel that reads only zeros outside it is larger by
// what the outputs need.
TEST(ConvolutionNormTest, TheTorusHoldsEveryOutput) {
  const WindowAxis full{.size = 3, .padding_before = 2, .padding_after = 2};
  EXPECT_EQ(EmbeddingLength(full, PaddingMode::kZero, 7), 9U);
  const WindowAxis strided{.size = 3, .stride = 2, .padding_before = 1, .padding_after = 1};
  EXPECT_EQ(EmbeddingLength(strided, PaddingMode::kZero, 7), 8U);
  EXPECT_EQ(EmbeddingLength(strided, PaddingMode::kZero, 8), 10U);
  const WindowAxis beyond{.size = 1, .padding_before = 2, .padding_after = 2};
  EXPECT_EQ(EmbeddingLength(beyond, PaddingMode::kZero, 7), 11U);
  EXPECT_EQ(EmbeddingLength(full, PaddingMode::kReflect, 7), std::nullopt);
  EXPECT_EQ(EmbeddingLength(full, PaddingMode::kCircular, 7), std::nullopt);  // 9 outputs
  EXPECT_EQ(EmbeddingLength({.size = 3, .padding_before = 1, .padding_after = 1},
                            PaddingMode::kCircular, 7),
            7U);
}

}  // namespace
}  // namespace lipserve
