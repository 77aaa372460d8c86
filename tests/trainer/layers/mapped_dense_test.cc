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

namespace lipserve::trainer {
namespace {

struct Shape {
  std::size_t units;
  std::size_t inputs;
};
constexpr Shape kShapes[] = {{5, 12}, {12, 5}, {6, 6}, {1, 7}, {7, 1}, {1, 1}};

constexpr OrthogonalFormula kFormulas[] = {OrthogonalFormula::kCholesky, OrthogonalFormula::kCayley,
                                           OrthogonalFormula::kBlockReflector};

MappedDenseOptions Options(OrthogonalFormula formula, const Shape& shape, bool use_bias = true) {
  const std::size_t length = std::max(shape.units, shape.inputs);
  return {.units = shape.units,
          .use_bias = use_bias,
          .formula = formula,
          .reflector_rank = std::max<std::size_t>(1, length / 2)};
}

// A layer whose kernel is off the orthogonal ones, as training leaves it.
MappedDense Trained(OrthogonalFormula formula, const Shape& shape, std::mt19937_64& random) {
  MappedDense layer(shape.inputs, Options(formula, shape), random);
  std::vector<float>& kernel = layer.parameters()[0].values;
  const std::vector<float> noise = RandomNumbers(kernel.size(), random, 0.1);
  for (std::size_t i = 0; i < kernel.size(); ++i) kernel[i] += noise[i];
  return layer;
}

Matrix64 Weights64(const MappedDense& layer) {
  const ConstMatrixView w = layer.effective_weights();
  return ToFloat64({w.data, w.size()}, w.rows, w.cols);
}

class MappedDenseTest : public testing::TestWithParam<OrthogonalFormula> {};

TEST_P(MappedDenseTest, GradientMatchesDifferencesForWideTallAndSquareKernels) {
  std::mt19937_64 random(41);
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message() << shape.units << " x " << shape.inputs);
    MappedDense layer = Trained(GetParam(), shape, random);
    layer.parameters()[1].values = RandomNumbers(shape.units, random);
    ExpectGradientsMatchDifferences(layer, RandomNumbers(3 * shape.inputs, random), 3, random);
  }
}

TEST_P(MappedDenseTest, AllSingularValuesAreOneWhateverTheKernel) {
  std::mt19937_64 random(42);
  for (const Shape& shape : kShapes) {
    SCOPED_TRACE(testing::Message() << shape.units << " x " << shape.inputs);
    for (const float scale : {1e-2F, 1.0F, 1e2F}) {
      MappedDense layer = Trained(GetParam(), shape, random);
      for (float& value : layer.parameters()[0].values) value *= scale;
      layer.PrepareStep(true);
      const std::vector<double> values = SingularValues(Weights64(layer));
      // The ridge, 1e-6 of the mean square, for kernels of a condition number below 5.
      EXPECT_NEAR(values.front(), 1.0, 2.5e-5) << scale;
      EXPECT_NEAR(values.back(), 1.0, 2.5e-5) << scale;
    }
  }
}

TEST_P(MappedDenseTest, NeverStretchesAndKeepsGradientNormsOfWideKernels) {
  std::mt19937_64 random(43);
  for (const Shape& shape : kShapes) {
    MappedDense layer = Trained(GetParam(), shape, random);
    EXPECT_LE(LargestStretch(layer, shape.inputs, random), 1.0 + kStretchRounding);
    if (shape.units > shape.inputs) continue;
    const std::vector<float> x = RandomNumbers(shape.inputs, random);
    const std::vector<float> dy = RandomNumbers(shape.units, random);
    std::vector<float> y(shape.units);
    std::vector<float> dx(shape.inputs);
    layer.Backward({x.data(), 1, shape.inputs}, {y.data(), 1, shape.units},
                   {dy.data(), 1, shape.units}, {dx.data(), 1, shape.inputs});
    EXPECT_NEAR(FrobeniusNorm(ToFloat64(dx, 1, dx.size())),
                FrobeniusNorm(ToFloat64(dy, 1, dy.size())),
                2.5e-5 * FrobeniusNorm(ToFloat64(dy, 1, dy.size())));
  }
}

TEST_P(MappedDenseTest, FrozenSingularValuesAreOneAndWeightsThoseOfTheLastStep) {
  std::mt19937_64 random(44);
  for (const Shape& shape : kShapes) {
    MappedDense layer = Trained(GetParam(), shape, random);
    layer.parameters()[1].values[0] = 1e-41F;
    layer.PrepareStep(false);
    const DenseLayer frozen = std::get<DenseLayer>(layer.Freeze());
    EXPECT_EQ(frozen.inputs, shape.inputs);
    EXPECT_EQ(frozen.outputs, shape.units);
    EXPECT_EQ(frozen.bias, std::vector<float>(shape.units, 0.0F));
    const auto values =
        SingularValues(ConstMatrixView{frozen.weights.data(), shape.units, shape.inputs});
    EXPECT_NEAR(values.front(), 1.0, 1e-6);
    EXPECT_NEAR(values.back(), 1.0, 1e-6);
    for (std::size_t i = 0; i < frozen.weights.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(frozen.weights[i]),
                  static_cast<double>(layer.effective_weights().data[i]), 2.5e-5);
    }
  }
}

TEST_P(MappedDenseTest, EvaluationReflectsTheLatestStepAndFreezingChangesNothing) {
  std::mt19937_64 random(45);
  MappedDense layer(9, Options(GetParam(), {4, 9}), random);
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
  MappedDense layer(4, Options(GetParam(), {3, 4}, false), random);
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
  for (const Shape& shape : {Shape{6, 12}, Shape{12, 6}, Shape{8, 8}}) {
    MappedDense layer(shape.inputs, Options(GetParam(), shape), random);
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
  MappedDense layer = Trained(OrthogonalFormula::kCholesky, {4, 9}, random);
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
  MappedDense layer = Trained(OrthogonalFormula::kCayley, {6, 6}, random);
  layer.PrepareStep(true);
  const Matrix64 kernel = ToFloat64(layer.parameters()[0].values, 6, 6);
  const Matrix64 skew = Sum(1.0, kernel, -1.0, Transposed(kernel));
  const Matrix64 product = Product(Weights64(layer), Sum(1.0, Identity(6), 1.0, skew));
  EXPECT_LT(FrobeniusNorm(Sum(1.0, product, -1.0, Sum(1.0, Identity(6), -1.0, skew))), 1e-5);
}

TEST(MappedDenseFormulaTest, ABlockReflectorTurnsTheSpanOfItsKernelAround) {
  std::mt19937_64 random(50);
  MappedDense layer = Trained(OrthogonalFormula::kBlockReflector, {8, 8}, random);
  layer.PrepareStep(true);
  const Matrix64 kernel = ToFloat64(layer.parameters()[0].values, 8, 4);
  const Matrix64 turned = Product(Weights64(layer), kernel);
  EXPECT_LT(FrobeniusNorm(Sum(1.0, turned, 1.0, kernel)), 1e-5);
  const Matrix64 twice = Product(Weights64(layer), Weights64(layer));
  EXPECT_LT(FrobeniusNorm(Sum(1.0, twice, -1.0, Identity(8))), 1e-5);
}

}  // namespace
}  // namespace lipserve::trainer
