// SPDX-License-Identifier: Apache-2.0
// Convolutions whose kernels are constrained in other ways than SpectralConv2D's: AOL, BCOP,
// Frobenius; and AOL's dense layer.
#include <cmath>
#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "model/certificate/convolution_norm.h"
#include "tests/trainer/image_check.h"
#include "trainer/layers/aol.h"
#include "trainer/layers/block_orthogonal_convolution.h"
#include "trainer/layers/frobenius_convolution.h"

namespace lipserve::trainer {
namespace {

struct ConstrainedConvolution {
  ConvolutionLayer geometry;
  std::unique_ptr<Convolution> layer;
};

// Every constraint with every geometry that it takes, kernels and biases as training leaves them.
std::vector<ConstrainedConvolution> ConstrainedConvolutions(std::mt19937_64& random) {
  std::vector<ConvolutionLayer> geometries = Geometries();
  geometries.push_back(Geometry({3, 5, 5}, 3, {.size = 3, .padding_before = 1, .padding_after = 1},
                                PaddingMode::kCircular));
  geometries.push_back(Geometry({2, 6, 6}, 5, {.size = 4, .padding_before = 2, .padding_after = 1},
                                PaddingMode::kCircular));
  // A stride that does not divide the circle, and one with taps of several phases.
  geometries.push_back(Geometry({2, 5, 5}, 3, {.size = 3, .stride = 2}, PaddingMode::kCircular));
  geometries.push_back(
      Geometry({2, 6, 6}, 3, {.size = 4, .stride = 2, .padding_before = 1}, PaddingMode::kZero));
  std::vector<ConstrainedConvolution> built;
  for (const ConvolutionLayer& geometry : geometries) {
    built.push_back({geometry, std::make_unique<FrobeniusConvolution>(geometry, true, random)});
    if (!IsPartOfPlaneOrTorus(geometry)) continue;
    built.push_back({geometry, std::make_unique<AolConvolution>(geometry, true, random)});
    if (geometry.groups != 1) continue;
    built.push_back(
        {geometry, std::make_unique<BlockOrthogonalConvolution>(geometry, true, random)});
  }
  for (const ConstrainedConvolution& b : built) {
    for (Parameter& parameter : b.layer->parameters()) {
      const double scale = parameter.orthogonal_rows == 0 ? 0.2 : 0.02;
      const std::vector<float> noise = RandomNumbers(parameter.values.size(), random, scale);
      for (std::size_t i = 0; i < noise.size(); ++i) parameter.values[i] += noise[i];
    }
  }
  return built;
}

std::string DescribeConstrained(const ConstrainedConvolution& built) {
  return built.layer->type() + ": " + DescribeGeometry(built.geometry);
}

// AOL's bound has a corner where a sum of products of taps is 0. With numbers of one sign in each
// input channel no sum comes near it, and sums of both signs are among them.
void MoveAwayFromCorners(ConstrainedConvolution& built) {
  if (dynamic_cast<const AolConvolution*>(built.layer.get()) == nullptr) return;
  const ConvolutionLayer& geometry = built.geometry;
  const std::size_t taps = geometry.vertical.size * geometry.horizontal.size;
  const std::size_t channels = geometry.input.channels / geometry.groups;
  std::vector<float>& kernel = built.layer->parameters()[0].values;
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const float sign = i / taps % channels % 2 == 0 ? 1.0F : -1.0F;
    kernel[i] = sign * (0.3F + std::abs(kernel[i]));
  }
}

TEST(ConvolutionConstraintsTest, GradientsMatchDifferencesForEveryGeometry) {
  std::mt19937_64 random(81);
  std::vector<ConstrainedConvolution> all = ConstrainedConvolutions(random);
  for (ConstrainedConvolution& built : all) {
    SCOPED_TRACE(DescribeConstrained(built));
    MoveAwayFromCorners(built);
    InTraining layer(*built.layer);
    ExpectGradientsMatchDifferences(layer, RandomNumbers(built.geometry.input.size(), random), 1,
                                    random);
  }
}

TEST(ConvolutionConstraintsTest, NeverStretchWhateverTheGeometry) {
  std::mt19937_64 random(82);
  for (const ConstrainedConvolution& built : ConstrainedConvolutions(random)) {
    SCOPED_TRACE(DescribeConstrained(built));
    EXPECT_LE(LargestStretch(*built.layer, built.geometry.input.size(), random),
              1.0 + kStretchRounding);
  }
}

TEST(ConvolutionConstraintsTest, FrozenNormsAreProvenAtMostOneForEveryGeometry) {
  std::mt19937_64 random(83);
  for (const ConstrainedConvolution& built : ConstrainedConvolutions(random)) {
    SCOPED_TRACE(DescribeConstrained(built));
    const auto norm = BoundConvolutionNorm(std::get<ConvolutionLayer>(built.layer->Freeze()));
    ASSERT_TRUE(norm.ok()) << norm.status();
    EXPECT_LE(*norm, 1.0 + kFreezeRounding);
    EXPECT_GE(*norm, 0.1);
  }
}

TEST(ConvolutionConstraintsTest, FreezeToWhatTheyCompute) {
  std::mt19937_64 random(84);
  for (const ConstrainedConvolution& built : ConstrainedConvolutions(random)) {
    SCOPED_TRACE(DescribeConstrained(built));
    ExpectFreezesToWhatItComputes(*built.layer, built.geometry.input, 1e-5, random);
  }
}

TEST(BlockOrthogonalConvolutionTest, IsOrthogonalOnATorus) {
  std::mt19937_64 random(85);
  for (const std::size_t outputs : {1U, 4U, 7U}) {
    SCOPED_TRACE(outputs);
    const ConvolutionLayer torus =
        Geometry({4, 5, 6}, outputs, {.size = 3, .padding_before = 1, .padding_after = 1},
                 PaddingMode::kCircular);
    BlockOrthogonalConvolution layer(torus, false, random);
    layer.PrepareStep(false);
    // Norms of images are kept forward if no channel is lost, those of gradients if none is added.
    const std::vector<float> x = RandomNumbers(torus.input.size(), random);
    const std::vector<float> dy = RandomNumbers(layer.output_shape().size(), random);
    std::vector<float> y(dy.size());
    std::vector<float> dx(x.size());
    layer.Forward({x.data(), 1, x.size()}, {y.data(), 1, y.size()});
    layer.Backward({x.data(), 1, x.size()}, {y.data(), 1, y.size()}, {dy.data(), 1, dy.size()},
                   {dx.data(), 1, dx.size()});
    const auto norm = [](const std::vector<float>& v) {
      return FrobeniusNorm(ToFloat64(v, 1, v.size()));
    };
    if (outputs >= 4) {
      EXPECT_NEAR(norm(y) / norm(x), 1.0, 1e-5);
    }
    if (outputs <= 4) {
      EXPECT_NEAR(norm(dx) / norm(dy), 1.0, 1e-5);
    }
  }
}

TEST(BlockOrthogonalConvolutionTest, AllItsMatricesAreKeptOrthogonal) {
  std::mt19937_64 random(86);
  const BlockOrthogonalConvolution layer(Geometry({3, 5, 5}, 6, {.size = 2}), true, random);
  ASSERT_EQ(layer.parameters().size(), 4U);  // channels, one projection for each axis, bias
  EXPECT_EQ(layer.parameters()[0].orthogonal_rows, 3U);
  EXPECT_EQ(layer.parameters()[1].orthogonal_rows, 6U);
  EXPECT_EQ(layer.parameters()[1].values.size(), 18U);
  EXPECT_EQ(layer.parameters()[3].name, "bias");
  EXPECT_EQ(layer.parameters()[3].orthogonal_rows, 0U);
}

TEST(AolConvolutionTest, StridesShareTheBoundAmongPhases) {
  std::mt19937_64 random(87);
  // Windows that tile: each position is read by one tap, so orthogonal columns need no scaling.
  const ConvolutionLayer tiles = Geometry({1, 4, 4}, 4, {.size = 2, .stride = 2});
  AolConvolution layer(tiles, false, random);
  layer.PrepareStep(true);
  for (std::size_t i = 0; i < layer.effective_weights().size(); ++i) {
    EXPECT_NEAR(static_cast<double>(layer.effective_weights()[i]),
                static_cast<double>(layer.parameters()[0].values[i]), 1e-5);
  }
}

TEST(AolDenseTest, GradientMatchesDifferencesAndNothingStretches) {
  std::mt19937_64 random(88);
  for (const auto& [inputs, units] : {std::pair{7U, 4U}, {4U, 7U}, {5U, 5U}, {1U, 3U}}) {
    SCOPED_TRACE(testing::Message() << units << " x " << inputs);
    AolDense layer(inputs, units, true, random);
    std::vector<float>& kernel = layer.parameters()[0].values;
    const std::vector<float> noise = RandomNumbers(kernel.size(), random, 0.2);
    for (std::size_t i = 0; i < kernel.size(); ++i) kernel[i] += noise[i];
    ExpectGradientsMatchDifferences(layer, RandomNumbers(2 * inputs, random), 2, random);
    EXPECT_LE(LargestStretch(layer, inputs, random), 1.0 + kStretchRounding);
    const DenseLayer frozen = std::get<DenseLayer>(layer.Freeze());
    EXPECT_LE(SingularValues(ConstMatrixView{frozen.weights.data(), units, inputs}).front(),
              1.0 + kFreezeRounding);
  }
}

TEST(AolDenseTest, ScalesEachColumnByTheRowSumOfTheGramMatrix) {
  std::mt19937_64 random(89);
  AolDense layer(2, 2, false, random);
  layer.parameters()[0].values = {3, 1, 0, -2};  // K^T K = [9, 3; 3, 5]
  layer.PrepareStep(true);
  const ConstMatrixView w = layer.effective_weights();
  EXPECT_NEAR(static_cast<double>(w.data[0]), 3.0 / std::sqrt(12.0), 1e-6);
  EXPECT_NEAR(static_cast<double>(w.data[1]), 1.0 / std::sqrt(8.0), 1e-6);
  EXPECT_NEAR(static_cast<double>(w.data[2]), 0.0, 1e-6);
  EXPECT_NEAR(static_cast<double>(w.data[3]), -2.0 / std::sqrt(8.0), 1e-6);
}

TEST(AolDenseTest, AKernelOfZerosGivesZerosAndAFiniteGradient) {
  std::mt19937_64 random(90);
  AolDense layer(3, 2, false, random);
  for (float& value : layer.parameters()[0].values) value = 0.0F;
  const std::vector<float> x = {1, 2, 3};
  const std::vector<float> dy = {1, -1};
  std::vector<float> y(2);
  layer.PrepareStep(true);
  layer.Forward({x.data(), 1, 3}, {y.data(), 1, 2});
  EXPECT_EQ(y, (std::vector<float>{0, 0}));
  layer.Backward({x.data(), 1, 3}, {y.data(), 1, 2}, {dy.data(), 1, 2}, {nullptr, 1, 3});
  layer.FinishStep();
  for (const float value : layer.parameters()[0].gradient) EXPECT_TRUE(std::isfinite(value));
}

}  // namespace
}  // namespace lipserve::trainer
