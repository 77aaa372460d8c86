// SPDX-License-Identifier: Apache-2.0
#include "client/verify/norms/operator_norm_proof.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "model/certificate/operator_norm.h"
#include "tests/model/orthonormal_rows.h"
#include "tests/model/quad_eigenvalue.h"
#include "tests/verify/convolutional_network.h"
#include "tests/verify/frozen_model_bytes.h"
#include "tests/verify/separable_convolution.h"

namespace lipserve::verify {

void PrintTo(BoundVerdict verdict, std::ostream* out) {
  *out << (verdict == BoundVerdict::kProven  ? "proven"
           : verdict == BoundVerdict::kFalse ? "false"
                                             : "not confirmed");
}

namespace {

BoundVerdict Examine(const std::vector<float>& weights, std::size_t outputs, double claim) {
  Dense dense;
  dense.outputs = outputs;
  dense.inputs = weights.size() / outputs;
  dense.weights = FromBinary32(BytesOf(weights), Binary32Rule::kFinite).value();
  dense.claimed_norm = FromBinary64(std::bit_cast<std::uint64_t>(claim)).value();
  return ExamineNormClaim(dense);
}

double FrozenClaim(const std::vector<float>& weights, std::size_t outputs) {
  return BoundOperatorNorm({weights.data(), outputs, weights.size() / outputs}).value();
}

// The matrices that models have, as W, [outputs, inputs].
struct Matrix {
  const char* name;
  std::size_t outputs;
  std::size_t inputs;
  bool orthonormal;
};

void PrintTo(const Matrix& matrix, std::ostream* out) { *out << matrix.name; }

class FrozenClaimTest : public ::testing::TestWithParam<Matrix> {
 protected:
  std::vector<float> Weights() const {
    const Matrix& matrix = GetParam();
    std::mt19937_64 random(7);
    if (!matrix.orthonormal) {
      return RandomFloats(random, matrix.outputs * matrix.inputs, 0.05);
    }
    if (matrix.outputs <= matrix.inputs) {
      return OrthonormalRows(random, matrix.outputs, matrix.inputs);
    }
    const std::vector<float> rows = OrthonormalRows(random, matrix.inputs, matrix.outputs);
    std::vector<float> columns(rows.size());
    for (std::size_t i = 0; i < matrix.inputs; ++i) {
      for (std::size_t o = 0; o < matrix.outputs; ++o) {
        columns[o * matrix.inputs + i] = rows[i * matrix.outputs + o];
      }
    }
    return columns;
  }
};

TEST_P(FrozenClaimTest, IsProvenAndALowerOneIsNot) {
  const std::vector<float> weights = Weights();
  const double claim = FrozenClaim(weights, GetParam().outputs);
  EXPECT_EQ(Examine(weights, GetParam().outputs, claim), BoundVerdict::kProven);
  EXPECT_NE(Examine(weights, GetParam().outputs, claim * (1.0 - 1e-9)), BoundVerdict::kProven);
}

INSTANTIATE_TEST_SUITE_P(Shapes, FrozenClaimTest,
                         ::testing::Values(Matrix{"Orthonormal32x784", 32, 784, true},
                                           Matrix{"Gaussian32x784", 32, 784, false},
                                           Matrix{"Orthonormal784x32", 784, 32, true},
                                           Matrix{"Gaussian100x100", 100, 100, false},
                                           Matrix{"Orthonormal512x784", 512, 784, true}),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(OperatorNormProofTest, NeverProvesAClaimBelowTheNorm) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 40; ++trial) {
    const std::size_t outputs = 1 + random() % 6;
    const std::size_t inputs = 1 + random() % 6;
    const auto weights = RandomFloats(random, outputs * inputs, 1.0);
    const auto norm = static_cast<double>(QuadOperatorNorm({weights.data(), outputs, inputs}));
    for (const double below : {1e-14, 1e-12, 1e-11, 1e-10, 1e-6, 0.5}) {
      EXPECT_NE(Examine(weights, outputs, norm * (1.0 - below)), BoundVerdict::kProven);
    }
    for (const double above : {2e-12, 1e-10, 1e-6, 1.0}) {
      EXPECT_EQ(Examine(weights, outputs, norm * (1.0 + above)), BoundVerdict::kProven);
    }
  }
}

TEST(OperatorNormProofTest, KnowsNormsThatAreExact) {
  // A single row, (3, 4): the trace decides, without any slack.
  EXPECT_EQ(Examine({3.0F, 4.0F}, 1, 5.0), BoundVerdict::kProven);
  EXPECT_EQ(Examine({3.0F, 4.0F}, 2, 5.0), BoundVerdict::kProven);
  EXPECT_EQ(Examine({3.0F, 4.0F}, 1, std::nextafter(5.0, 0.0)), BoundVerdict::kFalse);
  EXPECT_EQ(Examine({0.0F, 0.0F, 0.0F, 0.0F}, 2, 0.0), BoundVerdict::kProven);
  // The norm of this shear is the golden ratio.
  const std::vector<float> golden = {1.0F, 1.0F, 0.0F, 1.0F};
  const double ratio = 0.5 * (1.0 + std::sqrt(5.0));
  EXPECT_EQ(Examine(golden, 2, ratio * (1.0 + 1e-10)), BoundVerdict::kProven);
  EXPECT_EQ(Examine(golden, 2, ratio * (1.0 - 1e-15)), BoundVerdict::kNotConfirmed);
  EXPECT_EQ(Examine(golden, 2, 1.0), BoundVerdict::kFalse);
}

BoundVerdict Examine(const ConvolutionLayer& layer, double claim) {
  Convolution convolution = CheckedConvolution(layer);
  convolution.claimed_norm = FromBinary64(std::bit_cast<std::uint64_t>(claim)).value();
  return ExamineNormClaim(convolution);
}

struct Mode {
  const char* name;
  lipserve::PaddingMode mode;
};

void PrintTo(const Mode& mode, std::ostream* out) { *out << mode.name; }

class ConvolutionNormTest : public ::testing::TestWithParam<Mode> {};

TEST_P(ConvolutionNormTest, IsProvenJustAboveAndNeverBelow) {
  std::mt19937_64 random(31);
  for (int trial = 0; trial < 60; ++trial) {
    const ConvolutionLayer layer =
        WithRandomWeights(random, RandomGeometry(random, GetParam().mode));
    const double norm = NormOf(layer);
    if (norm == 0.0) continue;  // every output reads the padding
    for (const double below : {1e-14, 1e-12, 1e-11, 1e-9, 0.5}) {
      EXPECT_NE(Examine(layer, norm * (1.0 - below)), BoundVerdict::kProven)
          << DescribeLayer(layer);
    }
    for (const double above : {1e-11, 1e-9, 1.0}) {
      EXPECT_EQ(Examine(layer, norm * (1.0 + above)), BoundVerdict::kProven)
          << DescribeLayer(layer);
    }
    EXPECT_NE(Examine(layer, norm * 0.1), BoundVerdict::kProven);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, ConvolutionNormTest,
                         ::testing::Values(Mode{"Zero", lipserve::PaddingMode::kZero},
                                           Mode{"Reflect", lipserve::PaddingMode::kReflect},
                                           Mode{"Replicate", lipserve::PaddingMode::kReplicate},
                                           Mode{"Circular", lipserve::PaddingMode::kCircular}),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST(OperatorNormProofTest, KnowsTheNormOfASeparableConvolution) {
  for (const std::size_t channels : {1U, 4U}) {
    EXPECT_EQ(ExamineNormClaim(SeparableConvolution(channels, 11, 1e-11)), BoundVerdict::kProven);
    EXPECT_EQ(ExamineNormClaim(SeparableConvolution(channels, 11, -1e-12)),
              BoundVerdict::kNotConfirmed);
  }
}

// 4 -> 4 channels, 3x3, on 180 x 180 positions: the band would take more than 1 GiB.
ConvolutionLayer LargeConvolution(lipserve::PaddingMode mode) {
  std::mt19937_64 random(32);
  const lipserve::WindowAxis axis = {
      .size = 3, .stride = 1, .dilation = 1, .padding_before = 1, .padding_after = 1};
  return WithRandomWeights(random, {.input = {.channels = 4, .height = 180, .width = 180},
                                    .output_channels = 4,
                                    .groups = 1,
                                    .vertical = axis,
                                    .horizontal = axis,
                                    .padding_mode = mode,
                                    .weights = {},
                                    .bias = {}});
}

TEST(OperatorNormProofTest, ProvesLargeConvolutionsOnCirclesOrSaysThatTheyAreTooLarge) {
  const ConvolutionLayer layer = LargeConvolution(lipserve::PaddingMode::kZero);
  EXPECT_EQ(Examine(layer, 10.5), BoundVerdict::kProven);  // the flat kernel proves 12.4
  EXPECT_EQ(Examine(layer, 7.0), BoundVerdict::kTooLarge);
}

TEST(OperatorNormProofTest, ProvesLargeConvolutionsByTheirKernelOrSaysThatTheyAreTooLarge) {
  const ConvolutionLayer layer = LargeConvolution(lipserve::PaddingMode::kReflect);
  const double kernel = FrozenClaim(layer.weights, 4);
  // The pixel next to a border is read twice by the window on the border: 4 x 4 times in all.
  EXPECT_EQ(Examine(layer, 4.0 * kernel), BoundVerdict::kProven);
  EXPECT_EQ(Examine(layer, 4.0 * kernel * (1.0 - 1e-9)), BoundVerdict::kTooLarge);
}

TEST(OperatorNormProofTest, TheKernelsNormIsExactForWindowsThatDoNotOverlap) {
  ConvolutionLayer layer = LargeConvolution(lipserve::PaddingMode::kReplicate);
  layer.vertical = {.size = 3, .stride = 3};
  layer.horizontal = layer.vertical;
  const double kernel = FrozenClaim(layer.weights, 4);
  EXPECT_EQ(Examine(layer, kernel), BoundVerdict::kProven);
  EXPECT_NE(Examine(layer, kernel * (1.0 - 1e-9)), BoundVerdict::kProven);
}

TEST(OperatorNormProofTest, ScaleDoesNotMatter) {
  std::mt19937_64 random(5);
  const auto weights = RandomFloats(random, 12 * 20, 0.3);
  const double claim = FrozenClaim(weights, 12);
  for (const int exponent : {-90, -13, 90}) {
    std::vector<float> scaled;
    for (const float weight : weights) scaled.push_back(std::ldexp(weight, exponent));
    EXPECT_EQ(Examine(scaled, 12, std::ldexp(claim, exponent)), BoundVerdict::kProven);
    EXPECT_NE(Examine(scaled, 12, std::ldexp(claim * (1 - 1e-9), exponent)), BoundVerdict::kProven);
  }
  // Weights of very different sizes in one matrix.
  std::vector<float> wide = {1.0F, 0x1p-120F, 0x1p-60F, 0x1p-126F, 0.5F, 0x1p-100F};
  EXPECT_EQ(Examine(wide, 2, FrozenClaim(wide, 2)), BoundVerdict::kProven);
  EXPECT_EQ(Examine(wide, 2, std::nextafter(1.0, 0.0)), BoundVerdict::kFalse);
  EXPECT_EQ(Examine(wide, 2, 0x1p1023), BoundVerdict::kProven);
  EXPECT_EQ(Examine(wide, 2, 0x1p-1074), BoundVerdict::kFalse);
}

}  // namespace
}  // namespace lipserve::verify
