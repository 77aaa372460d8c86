// SPDX-License-Identifier: Apache-2.0
#include "trainer/constraints/bjorck.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "tests/trainer/matrices.h"

namespace lipserve::trainer {
namespace {

constexpr std::size_t kSide = 5;
constexpr std::size_t kLength = 11;

// The definition: W <- (1 + beta) W - beta W W^T W on the full matrix, in float64.
Matrix64 BjorckReference(Matrix64 w, const BjorckOptions& options, std::size_t* iterations) {
  const double beta = static_cast<double>(options.beta);
  for (*iterations = 0; *iterations < options.max_iterations;) {
    const Matrix64 cubic = Product(Product(w, Transposed(w)), w);
    const Matrix64 next = Sum(1.0 + beta, w, -beta, cubic);
    const double change = FrobeniusNorm(Sum(1.0, next, -1.0, w));
    w = next;
    ++*iterations;
    if (change < static_cast<double>(options.tolerance)) break;
  }
  return w;
}

// A wide matrix with singular values between about 0.3 and 1.
std::vector<float> TestMatrix(std::mt19937_64& random) {
  std::vector<float> matrix = RandomOrthogonal(kSide, kLength, random);
  const std::vector<float> noise = RandomNumbers(matrix.size(), random, 0.1);
  for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = 0.7F * matrix[i] + noise[i];
  return matrix;
}

std::vector<float> GramOf(const std::vector<float>& matrix) {
  const Matrix64 w = ToFloat64(matrix, kSide, kLength);
  const Matrix64 gram = Product(w, Transposed(w));
  return {gram.values.begin(), gram.values.end()};
}

Matrix64 PolynomialTimes(ConstMatrixView polynomial, const std::vector<float>& matrix) {
  return Product(ToFloat64({polynomial.data, polynomial.size()}, kSide, kSide),
                 ToFloat64(matrix, kSide, kLength));
}

TEST(BjorckTest, PolynomialTimesTheMatrixIsTheIterationOnTheMatrix) {
  std::mt19937_64 random(23);
  for (const float beta : {0.5F, 0.25F, 0.1F}) {
    for (const std::size_t iterations : {1U, 2U, 3U, 7U, 15U}) {
      const BjorckOptions options{iterations, beta, 1e-3F};
      const std::vector<float> matrix = TestMatrix(random);
      const std::vector<float> gram = GramOf(matrix);
      BjorckPolynomial bjorck(kSide, options);
      const Matrix64 result =
          PolynomialTimes(bjorck.Forward({gram.data(), kSide, kSide}, 1.0F), matrix);
      std::size_t expected_iterations = 0;
      const Matrix64 expected =
          BjorckReference(ToFloat64(matrix, kSide, kLength), options, &expected_iterations);
      EXPECT_EQ(bjorck.iterations(), expected_iterations);
      // 15 iterations of a few float32 roundings of numbers near 1.
      EXPECT_LT(FrobeniusNorm(Sum(1.0, result, -1.0, expected)), 1e-5);
    }
  }
}

TEST(BjorckTest, StopsOnceTheChangeIsBelowTheTolerance) {
  std::mt19937_64 random(24);
  const std::vector<float> gram = GramOf(TestMatrix(random));
  std::size_t previous = 0;
  for (const float tolerance : {10.0F, 1e-1F, 1e-3F}) {
    BjorckPolynomial bjorck(kSide, {50, 0.5F, tolerance});
    bjorck.Forward({gram.data(), kSide, kSide}, 1.0F);
    EXPECT_GT(bjorck.iterations(), previous);
    EXPECT_LT(bjorck.iterations(), 50U);
    previous = bjorck.iterations();
  }
  BjorckPolynomial orthogonal(kSide, {50, 0.5F, 1e-3F});
  const std::vector<float> identity = [] {
    const Matrix64 i = Identity(kSide);
    return std::vector<float>(i.values.begin(), i.values.end());
  }();
  orthogonal.Forward({identity.data(), kSide, kSide}, 1.0F);
  EXPECT_EQ(orthogonal.iterations(), 1U);
}

TEST(BjorckTest, ScaleMultipliesTheGramMatrix) {
  std::mt19937_64 random(25);
  const std::vector<float> gram = GramOf(TestMatrix(random));
  std::vector<float> quadrupled = gram;
  for (float& value : quadrupled) value *= 4.0F;
  BjorckPolynomial a(kSide, {});
  BjorckPolynomial b(kSide, {});
  const ConstMatrixView p = a.Forward({gram.data(), kSide, kSide}, 1.0F);
  const ConstMatrixView q = b.Forward({quadrupled.data(), kSide, kSide}, 0.25F);
  EXPECT_TRUE(std::equal(p.data, p.data + p.size(), q.data));
}

// L = <c, P(G)> by the recursion in float64, for symmetric c and G; the reference of the gradient.
double ReferenceLoss(const Matrix64& c, const Matrix64& gram, const BjorckOptions& options) {
  const double beta = static_cast<double>(options.beta);
  Matrix64 polynomial = Identity(kSide);
  Matrix64 g = gram;
  for (std::size_t k = 0; k < options.max_iterations; ++k) {
    const Matrix64 step = Sum(1.0 + beta, Identity(kSide), -beta, g);
    polynomial = Product(step, polynomial);
    g = Product(Product(step, g), step);
  }
  return Inner(c, polynomial);
}

TEST(BjorckTest, GradientIsExactThroughEveryIteration) {
  std::mt19937_64 random(26);
  for (const float beta : {0.5F, 0.25F}) {
    for (const std::size_t iterations : {1U, 2U, 3U, 4U, 8U}) {
      const BjorckOptions options{iterations, beta, 1e-30F};
      const std::vector<float> gram = GramOf(TestMatrix(random));
      std::vector<float> c = RandomNumbers(kSide * kSide, random);  // not symmetric
      const Matrix64 c64 = ToFloat64(c, kSide, kSide);
      const Matrix64 symmetric_c = Sum(0.5, c64, 0.5, Transposed(c64));
      BjorckPolynomial bjorck(kSide, options);
      bjorck.Forward({gram.data(), kSide, kSide}, 1.0F);
      ASSERT_EQ(bjorck.iterations(), iterations);
      const ConstMatrixView gradient = bjorck.Backward({c.data(), kSide, kSide});

      // Central differences in float64 along every symmetric direction; dL/dG = -dL/dE.
      const double h = 1e-5;
      double largest = 0.0;
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(gradient.data[i])));
      }
      for (std::size_t r = 0; r < kSide; ++r) {
        for (std::size_t col = r; col < kSide; ++col) {
          Matrix64 direction{kSide, kSide, std::vector<double>(kSide * kSide, 0.0)};
          direction.at(r, col) = direction.at(col, r) = 1.0;
          const Matrix64 gram64 = ToFloat64(gram, kSide, kSide);
          const double difference =
              (ReferenceLoss(symmetric_c, Sum(1.0, gram64, h, direction), options) -
               ReferenceLoss(symmetric_c, Sum(1.0, gram64, -h, direction), options)) /
              (2.0 * h);
          const double expected = r == col ? difference : difference / 2.0;
          // float32 roundings of each iteration, relative to the largest entry.
          EXPECT_NEAR(-static_cast<double>(gradient.data[r * kSide + col]), expected,
                      1e-5 * (1.0 + largest))
              << "beta " << beta << ", " << iterations << " iterations";
          EXPECT_EQ(gradient.data[r * kSide + col], gradient.data[col * kSide + r]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace lipserve::trainer
