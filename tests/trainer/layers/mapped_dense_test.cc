// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/mapped_dense.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/gradient_check.h"
#include "tests/trainer/orthogonal_check.h"

namespace lipserve::trainer {
namespace {

constexpr OrthogonalFormula kFormulas[] = {OrthogonalFormula::kCholesky, OrthogonalFormula::kCayley,
                                           OrthogonalFormula::kBlockReflector};

MappedDenseOptions MappedOptions(OrthogonalFormula formula, const KernelShape& shape,
                                 bool use_bias = true) {
  const std::size_t length = std::max(shape.units, shape.inputs);
  return {.units = shape.units,
          .use_bias = use_bias,
          .formula = formula,
          .reflector_rank = std::max<std::size_t>(1, length / 2)};
}

// A layer whose kernel is off the orthogonal ones, as training leaves it.
MappedDense TrainedMapped(OrthogonalFormula formula, const KernelShape& shape,
                          std::mt19937_64& random) {
  MappedDense layer(shape.inputs, MappedOptions(formula, shape), random);
  std::vector<float>& kernel = layer.parameters()[0].values;
  const std::vector<float> noise = RandomNumbers(kernel.size(), random, 0.1);
  for (std::size_t i = 0; i < kernel.size(); ++i) kernel[i] += noise[i];
  return layer;
}

class MappedDenseTest : public testing::TestWithParam<OrthogonalFormula> {};

TEST_P(MappedDenseTest, GradientMatchesDifferencesForWideTallAndSquareKernels) {
  std::mt19937_64 random(41);
  for (const KernelShape& shape : kKernelShapes) {
    SCOPED_TRACE(testing::Message() << shape.units << " x " << shape.inputs);
    MappedDense layer = TrainedMapped(GetParam(), shape, random);
    layer.parameters()[1].values = RandomNumbers(shape.units, random);
    ExpectGradientsMatchDifferences(layer, RandomNumbers(3 * shape.inputs, random), 3, random);
  }
}

TEST_P(MappedDenseTest, AllSingularValuesAreOneWhateverTheKernel) {
  std::mt19937_64 random(42);
  for (const KernelShape& shape : kKernelShapes) {
    SCOPED_TRACE(testing::Message() << shape.units << " x " << shape.inputs);
    for (const float scale : {1e-2F, 1.0F, 1e2F}) {
      MappedDense layer = TrainedMapped(GetParam(), shape, random);
      for (float& value : layer.parameters()[0].values) value *= scale;
      layer.PrepareStep(true);
      // The ridge, 1e-6 of the mean square, for kernels of a condition number below 5.
      SCOPED_TRACE(scale);
      ExpectOrthogonal(Weights64(layer), 2.5e-5);
    }
  }
}

TEST_P(MappedDenseTest, NeverStretchesAndKeepsGradientNormsOfWideKernels) {
  std::mt19937_64 random(43);
  for (const KernelShape& shape : kKernelShapes) {
    MappedDense layer = TrainedMapped(GetParam(), shape, random);
    ExpectNeverStretchesAndKeepsGradientNorms(layer, shape, 2.5e-5, random);
  }
}

TEST_P(MappedDenseTest, FrozenSingularValuesAreOneAndWeightsThoseOfTheLastStep) {
  std::mt19937_64 random(44);
  for (const KernelShape& shape : kKernelShapes) {
    MappedDense layer = TrainedMapped(GetParam(), shape, random);
    layer.parameters()[1].values[0] = 1e-41F;
    layer.PrepareStep(false);
    ExpectFreezesOrthogonal(layer, shape, 2.5e-5);
  }
}

TEST_P(MappedDenseTest, EvaluationReflectsTheLatestStepAndFreezingChangesNothing) {
  std::mt19937_64 random(45);
  MappedDense layer(9, MappedOptions(GetParam(), {4, 9}), random);
  layer.PrepareStep(true);
  const Matrix64 before = Weights64(layer);
  layer.parameters()[0].values = RandomNumbers(layer.parameters()[0].values.size(), random);
  layer.PrepareStep(false);
  const Matrix64 first = Weights64(layer);
  EXPECT_GT(FrobeniusNorm(Sum(1.0, first, -1.0, before)), 0.5);
  const std::vector<float> frozen = std::get<DenseLayer>(layer.Freeze()).weights;
  EXPECT_EQ(frozen, std::get<DenseLayer>(layer.Freeze()).weights);
  EXPECT_EQ(first.values, Weights64(layer).values);
  layer.PrepareStep(true);
  EXPECT_EQ(first.values, Weights64(layer).values);
  EXPECT_TRUE(layer.states().empty());
}

TEST_P(MappedDenseTest, KernelOfZerosGivesFiniteWeightsOfNormAtMostOneAndAFiniteGradient) {
  std::mt19937_64 random(46);
  MappedDense layer(4, MappedOptions(GetParam(), {3, 4}, false), random);
  std::vector<float>& kernel = layer.parameters()[0].values;
  std::fill(kernel.begin(), kernel.end(), 0.0F);
  const std::vector<float> x = RandomNumbers(8, random);
  const std::vector<float> dy = RandomNumbers(6, random);
  std::vector<float> y(6, 7.0F);
  layer.PrepareStep(true);
  layer.Forward({x.data(), 2, 4}, {y.data(), 2, 3});
  layer.Backward({x.data(), 2, 4}, {y.data(), 2, 3}, {dy.data(), 2, 3}, {nullptr, 2, 4});
  layer.FinishStep();
  for (const float g : layer.parameters()[0].gradient) EXPECT_TRUE(std::isfinite(g));
  EXPECT_LE(SingularValues(Weights64(layer)).front(), 1.0 + 1e-6);
}

TEST_P(MappedDenseTest, NearlySingularKernelsStayBoundedInTrainingAndFreezeToAtMostOne) {
  std::mt19937_64 random(47);
  for (const KernelShape& shape : {KernelShape{6, 12}, KernelShape{12, 6}, KernelShape{8, 8}}) {
    MappedDense layer(shape.inputs, MappedOptions(GetParam(), shape), random);
    std::vector<float>& kernel = layer.parameters()[0].values;
    // Rank one, and as little above it as float32 can tell.
    const std::vector<float> noise = RandomNumbers(kernel.size(), random);
    for (std::size_t i = 0; i < kernel.size(); ++i) kernel[i] = 3.0F + 1e-6F * noise[i];
    layer.PrepareStep(true);
    // In all directions but one, the Gram matrix is its rounding, a few times 2^-24 of its trace,
    // against a ridge of 1e-6 / 8 of the trace.
    EXPECT_LE(SingularValues(Weights64(layer)).front(), 1.3);
    const auto frozen = std::get<DenseLayer>(layer.Freeze());
    EXPECT_LE(
        SingularValues(ConstMatrixView{frozen.weights.data(), shape.units, shape.inputs}).front(),
        1.0 + 1e-6);
  }
}

std::string FormulaName(const testing::TestParamInfo<OrthogonalFormula>& info) {
  switch (info.param) {
    case OrthogonalFormula::kCayley:
      return "Cayley";
    case OrthogonalFormula::kBlockReflector:
      return "BlockReflector";
    case OrthogonalFormula::kCholesky:
      break;
  }
  return "Cholesky";
}
INSTANTIATE_TEST_SUITE_P(Formulas, MappedDenseTest, testing::ValuesIn(kFormulas), FormulaName);

TEST(MappedDenseFormulaTest, CholeskyIsGramSchmidtOnTheRows) {
  std::mt19937_64 random(48);
  MappedDense layer = TrainedMapped(OrthogonalFormula::kCholesky, {4, 9}, random);
  layer.PrepareStep(true);
  Matrix64 rows = ToFloat64(layer.parameters()[0].values, 4, 9);
  for (std::size_t r = 0; r < 4; ++r) {
    double norm_squared = 0.0;
    for (std::size_t p = 0; p < r; ++p) {
      double projection = 0.0;
      for (std::size_t c = 0; c < 9; ++c) projection += rows.at(r, c) * rows.at(p, c);
      for (std::size_t c = 0; c < 9; ++c) rows.at(r, c) -= projection * rows.at(p, c);
    }
    for (std::size_t c = 0; c < 9; ++c) norm_squared += rows.at(r, c) * rows.at(r, c);
    for (std::size_t c = 0; c < 9; ++c) rows.at(r, c) /= std::sqrt(norm_squared);
  }
  EXPECT_LT(FrobeniusNorm(Sum(1.0, Weights64(layer), -1.0, rows)), 1e-5);
}

TEST(MappedDenseFormulaTest, CayleyTimesIPlusAIsIMinusA) {
  std::mt19937_64 random(49);
  MappedDense layer = TrainedMapped(OrthogonalFormula::kCayley, {6, 6}, random);
  layer.PrepareStep(true);
  const Matrix64 kernel = ToFloat64(layer.parameters()[0].values, 6, 6);
  const Matrix64 skew = Sum(1.0, kernel, -1.0, Transposed(kernel));
  const Matrix64 product = Product(Weights64(layer), Sum(1.0, Identity(6), 1.0, skew));
  EXPECT_LT(FrobeniusNorm(Sum(1.0, product, -1.0, Sum(1.0, Identity(6), -1.0, skew))), 1e-5);
}

TEST(MappedDenseFormulaTest, ABlockReflectorTurnsTheSpanOfItsKernelAround) {
  std::mt19937_64 random(50);
  MappedDense layer = TrainedMapped(OrthogonalFormula::kBlockReflector, {8, 8}, random);
  layer.PrepareStep(true);
  const Matrix64 kernel = ToFloat64(layer.parameters()[0].values, 8, 4);
  const Matrix64 turned = Product(Weights64(layer), kernel);
  EXPECT_LT(FrobeniusNorm(Sum(1.0, turned, 1.0, kernel)), 1e-5);
  const Matrix64 twice = Product(Weights64(layer), Weights64(layer));
  EXPECT_LT(FrobeniusNorm(Sum(1.0, twice, -1.0, Identity(8))), 1e-5);
}

}  // namespace
}  // namespace lipserve::trainer
