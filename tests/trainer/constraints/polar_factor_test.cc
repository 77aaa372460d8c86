// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/polar_factor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/matrices.h"
#include "tests/trainer/orthogonal_check.h"

namespace lipserve::trainer {
namespace {

// U diag(values) V^T with random orthogonal U and V; rows = values.size() <= cols.
std::vector<float> WithSingularValues(const std::vector<double>& values, std::size_t cols,
                                      std::mt19937_64& random) {
  const std::size_t rows = values.size();
  const Matrix64 u = ToFloat64(RandomOrthogonal(rows, rows, random), rows, rows);
  Matrix64 v = ToFloat64(RandomOrthogonal(rows, cols, random), rows, cols);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) v.at(r, c) *= values[r];
  }
  const Matrix64 product = Product(u, v);
  return {product.values.begin(), product.values.end()};
}

TEST(PolarFactorTest, HasAllSingularValuesOneForEveryShape) {
  std::mt19937_64 random(18);
  for (const auto& [rows, cols] : kMatrixShapes) {
    const std::vector<float> matrix = RandomNumbers(rows * cols, random, 3.0);
    ExpectOrthogonal(Matrix64{rows, cols, PolarFactor({matrix.data(), rows, cols})}, 1e-12);
  }
}

TEST(PolarFactorTest, MatrixIsThePolarFactorTimesASymmetricPositiveMatrix) {
  std::mt19937_64 random(19);
  const std::vector<float> values = RandomNumbers(4 * 9, random);
  const Matrix64 a = ToFloat64(values, 4, 9);
  const Matrix64 q{4, 9, PolarFactor({values.data(), 4, 9})};
  const Matrix64 h = Product(a, Transposed(q));  // A = H Q
  for (std::size_t r = 0; r < 4; ++r) {
    EXPECT_GT(h.at(r, r), 0.0);
    for (std::size_t c = 0; c < 4; ++c) EXPECT_NEAR(h.at(r, c), h.at(c, r), 1e-12);
  }
  EXPECT_LT(FrobeniusNorm(Sum(1.0, Product(h, q), -1.0, a)), 1e-12);
}

TEST(PolarFactorTest, ReachesSmallSingularValues) {
  std::mt19937_64 random(20);
  const std::vector<float> matrix = WithSingularValues({1.0, 0.3, 1e-3, 1e-5}, 12, random);
  ExpectOrthogonal(Matrix64{4, 12, PolarFactor({matrix.data(), 4, 12})}, 1e-12);
}

TEST(PolarFactorTest, SingularMatrixStaysBoundedAndKeepsItsOtherDirections) {
  std::mt19937_64 random(21);
  // Many, because rounding decides on which side of 0 the Gram matrix's null directions fall.
  for (int trial = 0; trial < 20; ++trial) {
    std::vector<float> matrix = RandomNumbers(4 * 8, random);
    for (std::size_t c = 0; c < 8; ++c) {
      matrix[16 + c] = 0.3F * matrix[c] + 0.7F * matrix[8 + c];  // all but the float rounding
      matrix[24 + c] = -2.0F * matrix[8 + c];                    // exactly
    }
    const auto values = SingularValues(Matrix64{4, 8, PolarFactor({matrix.data(), 4, 8})});
    EXPECT_NEAR(values[0], 1.0, 1e-9);
    EXPECT_NEAR(values[1], 1.0, 1e-9);
    EXPECT_GE(values[3], 0.0);  // not NaN
  }
}

TEST(PolarFactorTest, ZeroStaysZeroAndNaNStaysNaN) {
  const std::vector<float> zeros(12, 0.0F);
  EXPECT_EQ(PolarFactor({zeros.data(), 3, 4}), std::vector<double>(12, 0.0));
  std::vector<float> broken(12, 1.0F);
  broken[5] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<double> result = PolarFactor({broken.data(), 3, 4});
  EXPECT_TRUE(std::any_of(result.begin(), result.end(), [](double v) { return std::isnan(v); }));
}

TEST(PolarFactorTest, DoesNotDependOnTheScaleOfTheMatrix) {
  std::mt19937_64 random(22);
  const std::vector<float> matrix = RandomNumbers(4 * 6, random);
  const std::vector<double> expected = PolarFactor({matrix.data(), 4, 6});
  for (const float scale : {0x1p-100F, 0x1p+100F}) {
    std::vector<float> scaled = matrix;
    for (float& value : scaled) value *= scale;
    const std::vector<double> result = PolarFactor({scaled.data(), 4, 6});
    for (std::size_t i = 0; i < result.size(); ++i) EXPECT_NEAR(result[i], expected[i], 1e-12);
  }
}

}  // namespace
}  // namespace lipserve::trainer
