// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/spectral_dense.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/gradient_check.h"
#include "tests/trainer/orthogonal_check.h"

namespace lipserve::trainer {
namespace {

// Converges below float32's resolution, so that the weights depend on sigma no more.
SpectralDenseOptions Converged(std::size_t units) { return {units, true, {3, {30, 0.5F, 1e-5F}}}; }

// A kernel off the orthogonal ones, as training leaves it.
std::vector<float> TrainedKernel(std::size_t units, std::size_t inputs, std::mt19937_64& random) {
  std::vector<float> kernel = RandomOrthogonal(units, inputs, random);
  const std::vector<float> noise = RandomNumbers(kernel.size(), random, 0.1);
  for (std::size_t i = 0; i < kernel.size(); ++i) kernel[i] += noise[i];
  return kernel;
}

Matrix64 Kernel64(const SpectralDense& layer) {
  return ToFloat64(layer.parameters()[0].values, layer.outputs(), layer.inputs());
}

// Bjorck's iteration by its definition, on the full matrix, in float64.
Matrix64 Reference(const Matrix64& kernel, double sigma, std::size_t iterations) {
  Matrix64 w = Sum(1.0 / sigma, kernel, 0.0, kernel);
  for (std::size_t k = 0; k < iterations; ++k) {
    w = Sum(1.5, w, -0.5, Product(Product(w, Transposed(w)), w));
  }
  return w;
}

TEST(SpectralDenseTest, GradientMatchesDifferencesForWideTallAndSquareKernels) {
  std::mt19937_64 random(27);
  for (const KernelShape& shape : kKernelShapes) {
    SCOPED_TRACE(testing::Message() << shape.units << " x " << shape.inputs);
    SpectralDense layer(shape.inputs, Converged(shape.units), random);
    layer.parameters()[0].values = TrainedKernel(shape.units, shape.inputs, random);
    layer.parameters()[1].values = RandomNumbers(shape.units, random);
    ExpectGradientsMatchDifferences(layer, RandomNumbers(3 * shape.inputs, random), 3, random);
  }
}

TEST(SpectralDenseTest, GradientIsExactThroughAFewUnconvergedIterationsWithSigmaHeld) {
  std::mt19937_64 random(28);
  for (const KernelShape& shape : kKernelShapes) {
    SCOPED_TRACE(testing::Message() << shape.units << " x " << shape.inputs);
    SpectralDense layer(shape.inputs, {shape.units, false, {3, {4, 0.5F, 1e-30F}}}, random);
    layer.parameters()[0].values = TrainedKernel(shape.units, shape.inputs, random);
    // With a batch that is the identity, dW = dy^T, so L = <c, W>.
    std::vector<float> eye(shape.inputs * shape.inputs, 0.0F);
    for (std::size_t i = 0; i < shape.inputs; ++i) eye[i * shape.inputs + i] = 1.0F;
    const std::vector<float> dy = RandomNumbers(shape.inputs * shape.units, random);
    const Matrix64 c = Transposed(ToFloat64(dy, shape.inputs, shape.units));
    const ConstMatrixView x{eye.data(), shape.inputs, shape.inputs};
    std::vector<float> y(dy.size());
    layer.PrepareStep(true);
    layer.Forward(x, {y.data(), shape.inputs, shape.units});
    layer.Backward(x, {y.data(), shape.inputs, shape.units}, {dy.data(), shape.inputs, shape.units},
                   {nullptr, 0, 0});
    layer.FinishStep();

    const double sigma = static_cast<double>(layer.sigma_estimate());
    Matrix64 kernel = Kernel64(layer);
    for (std::size_t i = 0; i < kernel.values.size(); ++i) {
      const double h = 1e-5;
      const double value = kernel.values[i];
      kernel.values[i] = value + h;
      const double above = Inner(c, Reference(kernel, sigma, 4));
      kernel.values[i] = value - h;
      const double below = Inner(c, Reference(kernel, sigma, 4));
      kernel.values[i] = value;
      // float32 roundings of four iterations, relative to ||c||.
      EXPECT_NEAR(static_cast<double>(layer.parameters()[0].gradient[i]),
                  (above - below) / (2.0 * h), 3e-6 * FrobeniusNorm(c));
    }
  }
}

TEST(SpectralDenseTest, WeightsAreThoseOfTheFloat64IterationOnTheFullMatrix) {
  std::mt19937_64 random(29);
  for (const KernelShape& shape : kKernelShapes) {
    SpectralDense layer(shape.inputs, {shape.units, true, {3, {15, 0.5F, 1e-30F}}}, random);
    layer.parameters()[0].values = TrainedKernel(shape.units, shape.inputs, random);
    layer.PrepareStep(true);
    const Matrix64 expected =
        Reference(Kernel64(layer), static_cast<double>(layer.sigma_estimate()), 15);
    EXPECT_LT(FrobeniusNorm(Sum(1.0, Weights64(layer), -1.0, expected)), 1e-5);
  }
}

TEST(SpectralDenseTest, PowerIterationFindsTheLargestSingularValue) {
  std::mt19937_64 random(30);
  for (const KernelShape& shape : kKernelShapes) {
    SpectralDense layer(shape.inputs, Converged(shape.units), random);
    layer.parameters()[0].values = TrainedKernel(shape.units, shape.inputs, random);
    for (int step = 0; step < 300; ++step) layer.PrepareStep(true);
    EXPECT_NEAR(static_cast<double>(layer.sigma_estimate()),
                SingularValues(Kernel64(layer)).front(), 1e-5);
  }
}

TEST(SpectralDenseTest, NeverStretchesAndKeepsGradientNormsOfWideKernels) {
  std::mt19937_64 random(31);
  for (const KernelShape& shape : kKernelShapes) {
    SpectralDense layer(shape.inputs, {shape.units, true, {3, {}}}, random);
    layer.parameters()[0].values = TrainedKernel(shape.units, shape.inputs, random);
    // The last change of Bjorck was below 1e-3 and converges quadratically: about 1e-6.
    ExpectNeverStretchesAndKeepsGradientNorms(layer, shape, 1e-5, random);
  }
}

TEST(SpectralDenseTest, FrozenSingularValuesAreOneAndWeightsThoseOfTraining) {
  std::mt19937_64 random(32);
  for (const KernelShape& shape : kKernelShapes) {
    SpectralDense layer(shape.inputs, {shape.units, true, {3, {}}}, random);
    layer.parameters()[0].values = TrainedKernel(shape.units, shape.inputs, random);
    layer.parameters()[1].values[0] = 1e-41F;
    layer.PrepareStep(false);
    ExpectFreezesOrthogonal(layer, shape, 1e-3);
  }
}

TEST(SpectralDenseTest, EvaluationReflectsTheLatestStepAndChangesNoState) {
  std::mt19937_64 random(33);
  SpectralDense layer(9, {4, true, {3, {}}}, random);
  layer.PrepareStep(true);
  const Matrix64 before = Weights64(layer);
  layer.parameters()[0].values = TrainedKernel(4, 9, random);
  const std::vector<float> state = layer.states()[0].values;
  const std::vector<float> kernel = layer.parameters()[0].values;
  layer.PrepareStep(false);
  const Matrix64 first = Weights64(layer);
  layer.PrepareStep(false);
  EXPECT_EQ(first.values, Weights64(layer).values);
  EXPECT_EQ(state, layer.states()[0].values);
  EXPECT_EQ(kernel, layer.parameters()[0].values);
  EXPECT_GT(FrobeniusNorm(Sum(1.0, first, -1.0, before)), 0.5);
  const Matrix64 expected = Reference(Kernel64(layer), static_cast<double>(layer.sigma_estimate()),
                                      layer.bjorck_iterations());
  EXPECT_LT(FrobeniusNorm(Sum(1.0, first, -1.0, expected)), 1e-5);
  // Training from the same state gives the same weights, and then moves the state on.
  layer.PrepareStep(true);
  EXPECT_EQ(first.values, Weights64(layer).values);
  EXPECT_NE(state, layer.states()[0].values);
}

TEST(SpectralDenseTest, FreezingChangesNothing) {
  std::mt19937_64 random(34);
  SpectralDense layer(9, {4, true, {3, {}}}, random);
  layer.PrepareStep(true);
  const Matrix64 weights = Weights64(layer);
  const std::vector<float> state = layer.states()[0].values;
  const std::vector<float> first = std::get<DenseLayer>(layer.Freeze()).weights;
  EXPECT_EQ(first, std::get<DenseLayer>(layer.Freeze()).weights);
  EXPECT_EQ(weights.values, Weights64(layer).values);
  EXPECT_EQ(state, layer.states()[0].values);
}

TEST(SpectralDenseTest, KernelOfZerosGivesZerosAndAFiniteGradient) {
  std::mt19937_64 random(35);
  SpectralDense layer(4, {3, false, {3, {}}}, random);
  std::fill(layer.parameters()[0].values.begin(), layer.parameters()[0].values.end(), 0.0F);
  const std::vector<float> x = RandomNumbers(8, random);
  const std::vector<float> dy = RandomNumbers(6, random);
  std::vector<float> y(6, 7.0F);
  layer.PrepareStep(true);
  layer.Forward({x.data(), 2, 4}, {y.data(), 2, 3});
  layer.Backward({x.data(), 2, 4}, {y.data(), 2, 3}, {dy.data(), 2, 3}, {nullptr, 2, 4});
  layer.FinishStep();
  EXPECT_EQ(y, std::vector<float>(6, 0.0F));
  for (const float g : layer.parameters()[0].gradient) EXPECT_TRUE(std::isfinite(g));
  for (const float u : layer.states()[0].values) EXPECT_TRUE(std::isfinite(u));
  EXPECT_EQ(std::get<DenseLayer>(layer.Freeze()).weights, std::vector<float>(12, 0.0F));
}

TEST(SpectralDenseTest, StartsOrthogonalWithZeroBias) {
  std::mt19937_64 random(36);
  SpectralDense layer(10, {4, true, {3, {}}}, random);
  ExpectOrthogonal(Kernel64(layer), 1e-6);
  EXPECT_EQ(layer.parameters()[1].values, std::vector<float>(4, 0.0F));
}

TEST(SpectralDenseTest, InitialScaleScalesTheKernelAndNotTheWeights) {
  std::mt19937_64 random(38);
  std::mt19937_64 same_random = random;
  SpectralDense layer(10, {4, true, {3, {}}}, random);
  SpectralDense small(10, {4, true, {3, {}, 0.03F}}, same_random);
  layer.PrepareStep(true);
  small.PrepareStep(true);
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(small.parameters()[0].values[i], 0.03F * layer.parameters()[0].values[i]);
    EXPECT_NEAR(small.effective_weights().data[i], layer.effective_weights().data[i], 1e-6);
  }
}

}  // namespace
}  // namespace lipserve::trainer
