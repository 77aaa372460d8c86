// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/convolution_norm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
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

ConvolutionLayer RandomLayer(std::mt19937_64& random, PaddingMode mode) {
  const std::size_t groups = 1 + random() % 2;
  const SampleShape input{.channels = groups * (1 + random() % 2),
                          .height = 2 + random() % 5,
                          .width = 2 + random() % 5};
  ConvolutionLayer layer =
      RandomConvolution(random, input, groups * (1 + random() % 2), {}, mode, groups);
  layer.vertical = RandomAxis(random, mode, input.height, 3);
  layer.horizontal = RandomAxis(random, mode, input.width, 3);
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
      // The proofs alone, without the estimate from below.
      EXPECT_FALSE(ProvesNormAtMost(BandedNormProof(layer), norm * (1.0 - 1e-12)));
      if (const auto torus = EmbeddingTorus(layer)) {
        EXPECT_FALSE(ProvesNormAtMost(EmbeddingNormProof(layer, *torus), norm * (1.0 - 1e-12)));
      }
      EXPECT_TRUE(ProveConvolutionNormAtMost(layer, norm * (1.0 + 1e-9)).ok());
      EXPECT_TRUE(ProveConvolutionNormAtMost(layer, norm * 10.0).ok());
    }
  }
}

// The bound that the embedding proves, whatever the size of the layer.
double BoundByEmbedding(const ConvolutionLayer& layer) {
  EmbeddingNormProof proof(layer, *EmbeddingTorus(layer));
  return SearchNormBound(proof, proof.SortBlocksByEstimate(), 1e-11).value();
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

// One output channel per tap, which it copies: the kernel as a matrix is the identity, of norm 1,
// and the layer gathers windows.
ConvolutionLayer GatheringLayer(std::size_t size, const WindowAxis& axis, PaddingMode mode) {
  ConvolutionLayer layer{.input = {.channels = 1, .height = size, .width = size},
                         .output_channels = axis.size * axis.size,
                         .groups = 1,
                         .vertical = axis,
                         .horizontal = axis,
                         .padding_mode = mode,
                         .weights = {},
                         .bias = {},
                         .claimed_operator_norm_bound = 0.0};
  layer.weights.assign(layer.output_channels * layer.output_channels, 0.0F);
  for (std::size_t t = 0; t < layer.output_channels; ++t) {
    layer.weights[t * (layer.output_channels + 1)] = 1.0F;
  }
  return layer;
}

// Peers divide an orthonormal kernel by the root of its taps whatever the padding, and call the
// layer 1-Lipschitz: with reflection its norm is 4/3, for a pixel beside the border is read four
// times along each axis.
TEST(ConvolutionNormTest, ReflectionReadsPixelsMoreOftenThanTheKernelHasTaps) {
  const ConvolutionLayer zero = GatheringLayer(8, SameAxis(3), PaddingMode::kZero);
  const ConvolutionLayer reflect = GatheringLayer(8, SameAxis(3), PaddingMode::kReflect);
  const ConvolutionLayer replicate = GatheringLayer(8, SameAxis(5), PaddingMode::kReplicate);
  EXPECT_NEAR(*BoundConvolutionNorm(zero), 3.0, 1e-9);
  EXPECT_NEAR(*BoundConvolutionNorm(reflect) / 3.0, 4.0 / 3.0, 1e-9);
  // The border pixel is read through 3, 2 and 1 taps by three outputs.
  EXPECT_NEAR(*BoundConvolutionNorm(replicate), 6.0, 1e-9);
  EXPECT_FALSE(ProveConvolutionNormAtMost(reflect, 3.0).ok());
  EXPECT_FALSE(ProveConvolutionNormAtMost(replicate, 5.0).ok());
}

// deel-lip's factor for stride 1 averages how often a pixel is read: a box kernel of norm 1, times
// the factor, is not 1-Lipschitz. Figures: sizes 28 and 16, measured on that library.
TEST(ConvolutionNormTest, TheAverageNumberOfReadsIsNoBound) {
  struct Figure {
    std::size_t size;
    std::size_t kernel;
    double norm;
  };
  for (const Figure& figure :
       {Figure{28, 3, 1.0164}, Figure{16, 3, 1.0199}, Figure{28, 5, 1.0214}}) {
    const std::vector<float> box(figure.kernel, 1.0F);
    const ConvolutionLayer layer = SeparableConvolution(figure.size, figure.size, box, box);
    const auto k = static_cast<double>(figure.kernel);
    const auto h = static_cast<double>(figure.size);
    const double d = (k - 1.0) / 2.0;
    const double factor = h / (k * h - d * (d + 1.0));
    // An outer product: its norm is the product of the norms along the axes.
    const double along_axis =
        QuadNorm(DenseMatrix(SeparableConvolution(figure.size, 1, box, {1.0F}), Weights::kSigned));
    const double norm = along_axis * along_axis;
    EXPECT_NEAR(norm / k * factor, figure.norm, 1e-4);
    EXPECT_FALSE(ProveConvolutionNormAtMost(layer, k / factor).ok());
    EXPECT_FALSE(ProveConvolutionNormAtMost(layer, norm * (1.0 - 1e-12)).ok());
    EXPECT_NEAR(*BoundConvolutionNorm(layer), norm, norm * 2e-10);
  }
}

TEST(ConvolutionNormTest, AStrideDividesTheReadsRoundedUp) {
  WindowAxis axis = SameAxis(3);
  axis.stride = 2;
  const ConvolutionLayer layer = GatheringLayer(8, axis, PaddingMode::kZero);
  // ceil(3 / 2) reads along each axis, not 3 / 2.
  EXPECT_NEAR(*BoundConvolutionNorm(layer), 2.0, 1e-9);
  EXPECT_FALSE(ProveConvolutionNormAtMost(layer, 1.5).ok());
  const ProofLimits only_flat{.bytes = 0x1p30, .flops = DenseProofCost(9, 9).flops};
  ASSERT_EQ(*ChooseConvolutionNormMethod(layer, only_flat), ConvolutionNormMethod::kFlatKernel);
  EXPECT_NEAR(*BoundConvolutionNorm(layer, only_flat), 2.0, 1e-9);
  EXPECT_FALSE(ProveConvolutionNormAtMost(layer, 1.5, only_flat).ok());
}

TEST(ConvolutionNormTest, TheFlatKernelIsNeverBelowTheTruth) {
  std::mt19937_64 random(5);
  int chosen = 0;
  for (std::size_t trial = 0; trial < 200; ++trial) {
    const ConvolutionLayer layer = RandomLayer(random, kModes[trial % 4]);
    const std::size_t rows = layer.output_channels / layer.groups;
    const ProofLimits limits{
        .bytes = 0x1p30,
        .flops =
            DenseProofCost(std::min(rows, layer.fan_in()), std::max(rows, layer.fan_in())).flops};
    if (*ChooseConvolutionNormMethod(layer, limits) != ConvolutionNormMethod::kFlatKernel) continue;
    ++chosen;
    SCOPED_TRACE(DescribeLayer(layer));
    const double bound = *BoundConvolutionNorm(layer, limits);
    EXPECT_TRUE(bound == 0.0 || QuadNormIsBelow(DenseMatrix(layer, Weights::kSigned), bound));
    EXPECT_TRUE(ProveConvolutionNormAtMost(layer, bound, limits).ok());
  }
  EXPECT_GT(chosen, 100);
}

TEST(ConvolutionNormTest, TheFlatKernelProvesTheClaimOfEveryGroup) {
  // Too large for a look from below within these limits, so that only proofs decide.
  ConvolutionLayer layer{.input = {.channels = 2, .height = 64, .width = 64},
                         .output_channels = 2,
                         .groups = 2,
                         .vertical = {},
                         .horizontal = {},
                         .padding_mode = PaddingMode::kReflect,
                         .weights = {1.0F, 2.0F},
                         .bias = {},
                         .claimed_operator_norm_bound = 0.0};
  const ProofLimits limits{.bytes = 0x1p30, .flops = DenseProofCost(1, 1).flops};
  for (int order = 0; order < 2; ++order) {
    ASSERT_EQ(*ChooseConvolutionNormMethod(layer, limits), ConvolutionNormMethod::kFlatKernel);
    EXPECT_FALSE(ProveConvolutionNormAtMost(layer, 1.9, limits).ok());
    EXPECT_TRUE(ProveConvolutionNormAtMost(layer, 2.0 + 1e-9, limits).ok());
    EXPECT_GE(*BoundConvolutionNorm(layer, limits), 2.0);
    std::swap(layer.weights[0], layer.weights[1]);
  }
}

TEST(ConvolutionNormTest, CostsChooseTheMethodAndRefuseWithSizes) {
  std::mt19937_64 random(6);
  const ConvolutionLayer layer = RandomConvolution(random, {4, 12, 12}, 4, SameAxis(3));
  const double banded = CheapestGramPlan(layer).cost.flops;
  const double embedding = EmbeddingCost(layer, *EmbeddingTorus(layer)).flops;
  const double flat = DenseProofCost(4, 36).flops;
  ASSERT_GT(banded, embedding);
  ASSERT_GT(embedding, flat);
  const auto choice = [&](double flops) {
    return ChooseConvolutionNormMethod(layer, {.bytes = 0x1p30, .flops = flops});
  };
  EXPECT_EQ(*choice(banded), ConvolutionNormMethod::kBandedGram);
  EXPECT_EQ(*choice(banded - 1.0), ConvolutionNormMethod::kCircularEmbedding);
  EXPECT_EQ(*choice(embedding - 1.0), ConvolutionNormMethod::kFlatKernel);
  EXPECT_THAT(std::string(choice(flat - 1.0).status().message()),
              HasSubstr("no proof of the operator norm of convolution [4, 12, 12] -> [4, 12, 12], "
                        "3x3, zero padding is within"));
  EXPECT_FALSE(BoundConvolutionNorm(layer, {.bytes = 100.0, .flops = 1e9}).ok());
  EXPECT_FALSE(ProveConvolutionNormAtMost(layer, 1e9, {.bytes = 100.0, .flops = 1e9}).ok());
  // Each is a bound, the cheaper the larger.
  const double exact = *BoundConvolutionNorm(layer);
  const double embedded = *BoundConvolutionNorm(layer, {.bytes = 0x1p30, .flops = embedding});
  EXPECT_LT(exact, embedded);
  EXPECT_LT(embedded, *BoundConvolutionNorm(layer, {.bytes = 0x1p30, .flops = flat}));
}

TEST(ConvolutionNormTest, WindowsThatReadTooMuchAreRefusedBeforeAnythingIsListed) {
  const WindowAxis axis{.size = std::size_t{1} << 20, .padding_before = std::size_t{1} << 20};
  ConvolutionLayer layer{.input = {.channels = 1, .height = 1, .width = std::size_t{1} << 20},
                         .output_channels = 1,
                         .groups = 1,
                         .vertical = {},
                         .horizontal = axis,
                         .padding_mode = PaddingMode::kZero,
                         .weights = std::vector<float>(axis.size, 1.0F),
                         .bias = {},
                         .claimed_operator_norm_bound = 0.0};
  EXPECT_THAT(std::string(ProveConvolutionNormAtMost(layer, 1e9).message()),
              HasSubstr("expected at most 4194304 taps times outputs along an axis"));
}

TEST(ConvolutionNormTest, TheNormOfGroupsIsTheLargest) {
  std::mt19937_64 random(7);
  ConvolutionLayer layer =
      RandomConvolution(random, {4, 5, 5}, 4, SameAxis(3), PaddingMode::kZero, 2);
  const double both = *BoundConvolutionNorm(layer);
  for (std::size_t i = 0; i < layer.weights.size() / 2; ++i) layer.weights[i] *= 8.0F;
  const double first = *BoundConvolutionNorm(layer);
  EXPECT_GT(first, both);
  EXPECT_LE(first, 8.0 * both * (1.0 + 1e-9));
  EXPECT_FALSE(ProveConvolutionNormAtMost(layer, both).ok());
}

TEST(ConvolutionNormTest, ScalesByPowersOfTwo) {
  std::mt19937_64 random(8);
  const ConvolutionLayer layer = RandomConvolution(random, {2, 6, 6}, 3, SameAxis(3));
  const double norm = *BoundConvolutionNorm(layer);
  for (const int exponent : {-100, -20, 20, 100}) {
    ConvolutionLayer scaled = layer;
    for (float& w : scaled.weights) w = std::ldexp(w, exponent);
    EXPECT_DOUBLE_EQ(*BoundConvolutionNorm(scaled), std::ldexp(norm, exponent)) << exponent;
  }
}

// 1 and 2^18 weights whose squares float64 loses against it, in one output.
TEST(ConvolutionNormTest, RoundingOfTheGramMatrixIsAccountedFor) {
  constexpr std::size_t kChannels = (std::size_t{1} << 18) + 1;
  ConvolutionLayer layer{.input = {.channels = kChannels, .height = 1, .width = 1},
                         .output_channels = 1,
                         .groups = 1,
                         .vertical = {},
                         .horizontal = {},
                         .padding_mode = PaddingMode::kZero,
                         .weights = std::vector<float>(kChannels, 0x1p-31F),
                         .bias = {},
                         .claimed_operator_norm_bound = 0.0};
  layer.weights[0] = 1.0F;
  const double below = std::sqrt(1.0 + 0x1p-44) * (1.0 - 1e-14);
  EXPECT_FALSE(ProvesNormAtMost(BandedNormProof(layer), below));
  EXPECT_FALSE(ProvesNormAtMost(EmbeddingNormProof(layer, *EmbeddingTorus(layer)), below));
  EXPECT_GE(*BoundConvolutionNorm(layer), below);
}

// 1 and 2^11 - 1 taps that float64 loses against it, which all read each pixel of a circle.
TEST(ConvolutionNormTest, RoundingOfTheCoefficientsIsAccountedFor) {
  constexpr std::size_t kTaps = std::size_t{1} << 11;
  ConvolutionLayer layer{.input = {.channels = 1, .height = 1, .width = kTaps},
                         .output_channels = 1,
                         .groups = 1,
                         .vertical = {},
                         .horizontal = {.size = kTaps, .padding_after = kTaps - 1},
                         .padding_mode = PaddingMode::kCircular,
                         .weights = std::vector<float>(kTaps, 0x1p-54F),
                         .bias = {},
                         .claimed_operator_norm_bound = 0.0};
  layer.weights[0] = 1.0F;
  ASSERT_TRUE(EmbeddingTorus(layer)->is_exact);
  const double norm = 1.0 + 0x1p-43 - 0x1p-52;  // 1 + (2^11 - 1) 2^-54, rounded down
  EXPECT_FALSE(
      ProvesNormAtMost(EmbeddingNormProof(layer, *EmbeddingTorus(layer)), norm * (1.0 - 3e-14)));
}

TEST(ConvolutionNormTest, TapsThatCancelEachOtherLeaveLessThanTheirMagnitudes) {
  // Replication makes both taps read the only pixel.
  ConvolutionLayer layer{.input = {.channels = 1, .height = 1, .width = 1},
                         .output_channels = 1,
                         .groups = 1,
                         .vertical = {.size = 2, .padding_after = 1},
                         .horizontal = {},
                         .padding_mode = PaddingMode::kReplicate,
                         .weights = {1.0F, -1.0F},
                         .bias = {},
                         .claimed_operator_norm_bound = 0.0};
  EXPECT_LE(*BoundConvolutionNorm(layer), 1e-6);
  layer.weights[1] = -0.75F;
  EXPECT_NEAR(*BoundConvolutionNorm(layer), 0.25, 1e-9);
  layer.padding_mode = PaddingMode::kZero;
  EXPECT_NEAR(*BoundConvolutionNorm(layer), 1.0, 1e-9);
}

TEST(ConvolutionNormTest, ClaimsThatAreNoNumbersAreNotProven) {
  std::mt19937_64 random(9);
  ConvolutionLayer layer = RandomConvolution(random, {1, 4, 4}, 1, SameAxis(3));
  for (const double claim : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()}) {
    EXPECT_FALSE(ProveConvolutionNormAtMost(layer, claim).ok()) << claim;
  }
  layer.weights.assign(9, 0.0F);
  EXPECT_EQ(*BoundConvolutionNorm(layer), 0.0);
  EXPECT_TRUE(ProveConvolutionNormAtMost(layer, 0.0).ok());
  EXPECT_FALSE(ProveConvolutionNormAtMost(layer, -1.0).ok());
}

}  // namespace
}  // namespace lipserve
