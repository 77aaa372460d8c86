// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/gram_iteration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/model/dense_convolution.h"
#include "tests/model/orthonormal_rows.h"

namespace lipserve {
namespace {

// A A^T rounded to float64: symmetric, and the matrix that the bound is about.
std::vector<double> GramOf(const std::vector<float>& a, std::size_t p) {
  const std::size_t q = a.size() / p;
  std::vector<double> gram(p * p, 0.0);
  for (std::size_t i = 0; i < p; ++i) {
    for (std::size_t j = 0; j < p; ++j) {
      for (std::size_t k = 0; k < q; ++k) {
        gram[i * p + j] += static_cast<double>(a[i * q + k]) * static_cast<double>(a[j * q + k]);
      }
    }
  }
  return gram;
}

QuadMatrix ToQuad(const std::vector<double>& matrix, std::size_t p) {
  QuadMatrix result(p, std::vector<Quad>(p));
  for (std::size_t i = 0; i < matrix.size(); ++i) result[i / p][i % p] = matrix[i];
  return result;
}

TEST(GramIterationTest, BoundIsNeverBelowAndCloseAboveTheLargestEigenvalue) {
  std::mt19937_64 random(1);
  for (const std::size_t p : {1U, 2U, 7U, 16U, 33U, 65U}) {
    const auto gram = GramOf(RandomFloats(random, p * (p + 3), 1.0), p);
    const double bound = BoundByGramIteration(gram, p, 0.0).value();
    EXPECT_TRUE(QuadNormIsBelow(ToQuad(gram, p), bound)) << p;
    EXPECT_FALSE(QuadNormIsBelow(ToQuad(gram, p), bound * (1.0 - 1e-9))) << p;
  }
}

TEST(GramIterationTest, IsTightWhenAllEigenvaluesAreEqual) {
  std::mt19937_64 random(2);
  constexpr std::size_t kOrder = 48;
  const auto gram = GramOf(OrthonormalRows(random, kOrder, 100), kOrder);
  const double bound = BoundByGramIteration(gram, kOrder, 0.0).value();
  EXPECT_TRUE(QuadNormIsBelow(ToQuad(gram, kOrder), bound));
  EXPECT_FALSE(QuadNormIsBelow(ToQuad(gram, kOrder), bound * (1.0 - 1e-9)));
}

TEST(GramIterationTest, EveryIterationIsABound) {
  std::mt19937_64 random(3);
  constexpr std::size_t kOrder = 20;
  const auto gram = GramOf(RandomFloats(random, kOrder * 30, 1.0), kOrder);
  // Stops as soon as it is close enough.
  double previous = BoundByGramIteration(gram, kOrder, 1e300).value();
  for (const double factor : {0.9, 0.6, 0.55, 0.5}) {
    const double bound = BoundByGramIteration(gram, kOrder, previous * factor).value();
    EXPECT_TRUE(QuadNormIsBelow(ToQuad(gram, kOrder), bound));
    EXPECT_LE(bound, previous);
  }
}

TEST(GramIterationTest, HoldsForNegativeEigenvaluesAndExtremeScales) {
  for (const double scale : {0x1p-200, 1.0, 0x1p200}) {
    const std::vector<double> matrix = {1.0 * scale, 2.0 * scale, 2.0 * scale, -3.0 * scale};
    // Eigenvalues -1 +- sqrt(8).
    const double bound = BoundByGramIteration(matrix, 2, 0.0).value() / scale;
    EXPECT_GE(bound, 1.0 + std::sqrt(8.0));
    EXPECT_LE(bound, (1.0 + std::sqrt(8.0)) * (1.0 + 1e-9));
  }
}

// v v^T with v = (1, 2^-27, ...): each of 63 squares 2^-54 is lost against 1, so that every
// computed square is the matrix itself and a bound that trusts it tends to 1, below 1 + 63 * 2^-54.
TEST(GramIterationTest, RoundingOfTheSquaresIsAccountedFor) {
  constexpr std::size_t kOrder = 64;
  std::vector<double> matrix(kOrder * kOrder, 0x1p-54);
  for (std::size_t j = 0; j < kOrder; ++j) matrix[j] = matrix[j * kOrder] = 0x1p-27;
  matrix[0] = 1.0;
  const Quad exact = 1 + 63 * static_cast<Quad>(0x1p-54);
  EXPECT_GE(static_cast<Quad>(BoundByGramIteration(matrix, kOrder, 0.0).value()), exact);
}

}  // namespace
}  // namespace lipserve
