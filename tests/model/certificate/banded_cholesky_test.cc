// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/banded_cholesky.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "model/arithmetic/outward_rounding.h"
#include "tests/model/quad_eigenvalue.h"

namespace lipserve {
namespace {

// Positive definite: the diagonal outweighs the rest of each row, but not by much.
SymmetricBand RandomBand(std::mt19937_64& random, std::size_t n, std::size_t half_bandwidth) {
  std::normal_distribution<double> normal;
  SymmetricBand b(n, half_bandwidth);
  std::vector<double> weights(n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n && j <= i + half_bandwidth; ++j) {
      b.at(i, j) = normal(random);
      weights[i] += std::fabs(b.at(i, j));
      weights[j] += std::fabs(b.at(i, j));
    }
  }
  for (std::size_t i = 0; i < n; ++i) b.at(i, i) = weights[i] * 1.01 + 1e-3;
  return b;
}

// The guarantee of the header: the residual, entry by entry, in quadruple precision. Sizes around
// the tile of 16 columns and the panel of 64 rows.
TEST(BandedCholeskyTest, TheFactorReproducesTheMatrixToTheProvenError) {
  std::mt19937_64 random(1);
  for (const std::size_t n : {1U, 2U, 15U, 16U, 17U, 63U, 64U, 65U, 130U, 200U}) {
    for (const std::size_t band : {0U, 1U, 5U, 15U, 16U, 31U, 63U, 64U, 70U, 199U}) {
      if (band >= n) continue;
      const SymmetricBand b = RandomBand(random, n, band);
      SymmetricBand r = b;
      ASSERT_TRUE(FactoriseCholesky(r));
      const double gamma = Gamma(static_cast<double>(band + 3), kUnitRoundoff64).value();
      const double g = gamma / (1.0 - gamma);
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = i; j < n && j <= i + band; ++j) {
          Quad sum = 0;
          for (std::size_t k = j > band ? j - band : 0; k <= i; ++k) {
            sum += static_cast<Quad>(r.at(k, i)) * r.at(k, j);
          }
          const auto error = static_cast<double>(QuadAbs(sum - b.at(i, j)));
          ASSERT_LE(error, g * std::sqrt(b.at(i, i) * b.at(j, j)))
              << "order " << n << ", half bandwidth " << band << ", entry " << i << ", " << j;
        }
      }
    }
  }
}

TEST(BandedCholeskyTest, AMatrixWithANegativeEigenvalueDoesNotComplete) {
  std::mt19937_64 random(2);
  for (const std::size_t n : {2U, 17U, 64U, 65U, 130U}) {
    for (const std::size_t at : {std::size_t{0}, n / 2, n - 1}) {
      SymmetricBand b = RandomBand(random, n, std::min<std::size_t>(n - 1, 20));
      b.at(at, at) = 1e-9;
      EXPECT_FALSE(FactoriseCholesky(b)) << n << ", " << at;
    }
  }
}

TEST(BandedCholeskyTest, WhatIsNoNumberDoesNotComplete) {
  std::mt19937_64 random(3);
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    SymmetricBand b = RandomBand(random, 100, 20);
    b.at(70, 80) = bad;
    EXPECT_FALSE(FactoriseCholesky(b)) << bad;
    b = RandomBand(random, 100, 20);
    b.at(99, 99) = bad;
    EXPECT_FALSE(FactoriseCholesky(b)) << bad;
  }
}

}  // namespace
}  // namespace lipserve
