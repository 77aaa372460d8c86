// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/block_inverse.h"

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/matrices.h"

namespace lipserve::trainer {
namespace {

// Below, at and above the side that is halved; odd halves, several levels.
constexpr std::size_t kSides[] = {1, 2, 31, 32, 33, 65, 130};

std::vector<float> ToFloat32(const Matrix64& matrix) {
  std::vector<float> values;
  for (const double value : matrix.values) values.push_back(static_cast<float>(value));
  return values;
}

TEST(BlockInverseTest, InvertsMatricesWhoseSymmetricPartIsPositive) {
  std::mt19937_64 random(52);
  for (const std::size_t side : kSides) {
    const Matrix64 k = ToFloat64(RandomNumbers(side * side, random, 1.0), side, side);
    // I plus a skew matrix: singular values of at least 1.
    const Matrix64 skew = Sum(0.5, k, -0.5, Transposed(k));
    std::vector<float> values = ToFloat32(Sum(1.0, Identity(side), 1.0, skew));
    const Matrix64 matrix = ToFloat64(values, side, side);
    InvertPositive({values.data(), side, side});
    const Matrix64 residual =
        Sum(1.0, Product(matrix, ToFloat64(values, side, side)), -1.0, Identity(side));
    // ||A|| < 2 sqrt(side), ||A^-1|| <= 1, and side roundings that add up like random signs.
    EXPECT_LT(FrobeniusNorm(residual), 1e-6 * static_cast<double>(side)) << side;
  }
}

TEST(BlockInverseTest, InvertedFactorTurnsTheGramMatrixIntoTheIdentity) {
  std::mt19937_64 random(53);
  for (const std::size_t side : kSides) {
    const Matrix64 k = ToFloat64(RandomNumbers(side * 4 * side, random), side, 4 * side);
    const Matrix64 gram = Product(k, Transposed(k));
    std::vector<float> values = ToFloat32(gram);
    InvertCholeskyFactor({values.data(), side, side});
    const Matrix64 factor = ToFloat64(values, side, side);
    const Matrix64 product = Product(Product(factor, gram), Transposed(factor));
    // The ridge, 1e-6 of the mean, in a matrix of condition number below 9 + what float32 leaves.
    EXPECT_LT(FrobeniusNorm(Sum(1.0, product, -1.0, Identity(side))),
              1e-5 * std::sqrt(static_cast<double>(side)))
        << side;
    for (std::size_t r = 0; r < side; ++r) {
      EXPECT_GT(factor.at(r, r), 0.0);
      for (std::size_t c = r + 1; c < side; ++c) EXPECT_EQ(factor.at(r, c), 0.0);
    }
  }
}

TEST(BlockInverseTest, MatricesOfZerosAndOfRankOneGiveFiniteFactors) {
  for (const std::size_t side : kSides) {
    for (const float value : {0.0F, 1.0F, 1e20F}) {
      std::vector<float> values(side * side, value);
      InvertCholeskyFactor({values.data(), side, side});
      for (const float number : values) ASSERT_TRUE(std::isfinite(number)) << value << " " << side;
    }
  }
}

}  // namespace
}  // namespace lipserve::trainer
