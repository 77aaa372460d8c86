// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/linear_residual.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "model/certificate/layer_bounds.h"
#include "tests/trainer/image_check.h"

namespace lipserve::trainer {
namespace {

constexpr LinearResidualOptions kResidualOptions{.scale = 0.5F, .power_iterations = 3};

struct ResidualCase {
  std::string name;
  SampleShape input;
  std::unique_ptr<Layer> layer;
};

std::vector<ConvolutionLayer> ResidualGeometries() {
  ConvolutionLayer uneven = Geometry({2, 4, 5}, 2, kSame3);
  uneven.horizontal = {.size = 2, .padding_after = 1};
  return {
      Geometry({2, 4, 3}, 2, kSame3),
      uneven,
      Geometry({3, 3, 4}, 3, kSame3, PaddingMode::kCircular),
      Geometry({2, 4, 4}, 2, kSame3, PaddingMode::kReflect),
      Geometry({4, 3, 3}, 4, kSame3, PaddingMode::kReplicate, 2),
      Geometry({2, 5, 5}, 2, {.size = 3, .dilation = 2, .padding_before = 2, .padding_after = 2})};
}

// One of each kind, kernels and biases as training leaves them, the norm converged.
std::vector<ResidualCase> ResidualLayers(std::mt19937_64& random) {
  std::vector<ResidualCase> built;
  built.push_back({"dense",
                   {6, 1, 1},
                   std::make_unique<LinearResidualDense>(6, true, kResidualOptions, random)});
  for (const ConvolutionLayer& geometry : ResidualGeometries()) {
    built.push_back(
        {DescribeGeometry(geometry), geometry.input,
         std::make_unique<LinearResidualConvolution>(geometry, true, kResidualOptions, random)});
  }
  for (const ResidualCase& b : built) {
    for (Parameter& parameter : b.layer->parameters()) {
      const std::vector<float> noise = RandomNumbers(parameter.values.size(), random, 0.3);
      for (std::size_t i = 0; i < noise.size(); ++i) parameter.values[i] += noise[i];
    }
    for (int step = 0; step < 600; ++step) b.layer->PrepareStep(true);
  }
  return built;
}

TEST(LinearResidualTest, GradientsMatchDifferences) {
  std::mt19937_64 random(41);
  for (const ResidualCase& built : ResidualLayers(random)) {
    SCOPED_TRACE(built.name);
    ExpectGradientsMatchDifferences(*built.layer, RandomNumbers(2 * built.input.size(), random), 2,
                                    random);
  }
}

TEST(LinearResidualTest, NeverStretches) {
  std::mt19937_64 random(42);
  for (const ResidualCase& built : ResidualLayers(random)) {
    SCOPED_TRACE(built.name);
    EXPECT_LE(LargestStretch(*built.layer, built.input.size(), random), 1.0 + kStretchRounding);
  }
}

TEST(LinearResidualTest, FreezesToOnePlainLayerOfProvenNormOne) {
  std::mt19937_64 random(43);
  for (const ResidualCase& built : ResidualLayers(random)) {
    SCOPED_TRACE(built.name);
    ExpectFreezesToWhatItComputes(*built.layer, built.input, 1e-3, random);
    FrozenLayer frozen = built.layer->Freeze();
    ASSERT_TRUE(ClaimOperatorNorm(frozen).ok());
    EXPECT_TRUE(CheckClaim(frozen).ok());
    const double norm = BoundsOf(frozen, built.input).operator_norm.value();
    EXPECT_LE(norm, 1.0 + 1e-6);
    EXPECT_GE(norm, 1.0 - 1e-6);
  }
}

TEST(LinearResidualTest, FreezesToNormOneBeforePowerIterationHasConverged) {
  std::mt19937_64 random(44);
  LinearResidualConvolution layer(Geometry({3, 5, 5}, 3, kSame3), false, {}, random);
  for (float& value : layer.parameters()[0].values) value = RandomNumbers(1, random)[0];
  layer.PrepareStep(true);
  FrozenLayer frozen = layer.Freeze();
  ASSERT_TRUE(ClaimOperatorNorm(frozen).ok());
  EXPECT_NEAR(BoundsOf(frozen, layer.geometry().input).operator_norm.value(), 1.0, 1e-6);
}

TEST(LinearResidualTest, AddsTheImageItself) {
  std::mt19937_64 random(45);
  for (const ConvolutionLayer& geometry : ResidualGeometries()) {
    SCOPED_TRACE(DescribeGeometry(geometry));
    LinearResidualConvolution layer(geometry, false, {}, random);
    std::fill(layer.parameters()[0].values.begin(), layer.parameters()[0].values.end(), 0.0F);
    const std::size_t size = geometry.input.size();
    const std::vector<float> x = RandomNumbers(size, random);
    std::vector<float> y(size);
    layer.PrepareStep(true);
    layer.Forward({x.data(), 1, size}, {y.data(), 1, size});
    for (std::size_t i = 0; i < size; ++i) EXPECT_NEAR(y[i], x[i], 1e-6) << i;
  }
}

TEST(LinearResidualTest, AKernelThatCancelsTheImageGivesZerosAndAFiniteGradient) {
  std::mt19937_64 random(46);
  LinearResidualDense layer(2, false, {}, random);
  layer.parameters()[0].values = {-1, 0, 0, -1};
  const std::vector<float> x = {1, 2};
  std::vector<float> y(2);
  layer.PrepareStep(true);
  layer.Forward({x.data(), 1, 2}, {y.data(), 1, 2});
  EXPECT_EQ(y, (std::vector<float>{0, 0}));
  layer.Backward({x.data(), 1, 2}, {y.data(), 1, 2}, {x.data(), 1, 2}, {nullptr, 1, 2});
  layer.FinishStep();
  for (const float value : layer.parameters()[0].gradient) EXPECT_TRUE(std::isfinite(value));
}

}  // namespace
}  // namespace lipserve::trainer
