// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/norm_proof.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "model/certificate/banded_cholesky.h"
#include "tests/model/quad.h"

namespace lipserve {
namespace {

// Whether fl(c I - G) factorises, G having every entry equal to `entry`.
bool Completes(std::size_t p, double entry, double c) {
  SymmetricBand b(p, p - 1);
  for (std::size_t i = 0; i < p; ++i) {
    for (std::size_t j = i; j < p; ++j) b.at(i, j) = -entry;
    b.at(i, i) = c - entry;
  }
  return FactoriseCholesky(b);
}

// The eigenvalue of G is p * entry. Rounding lets factorisations complete at a smaller c, by
// several units in the last place: the slack has to make up for it.
TEST(NormProofTest, ACompletedFactorisationBoundsTheLargestEigenvalue) {
  std::mt19937_64 random(1);
  int completed_below = 0;
  for (const std::size_t p : {5U, 20U, 50U, 100U}) {
    for (int trial = 0; trial < 20; ++trial) {
      const double entry = 1.0 + static_cast<double>(random() >> 12) * 0x1p-52;
      const Quad eigenvalue = static_cast<Quad>(entry) * static_cast<double>(p);
      double low = static_cast<double>(eigenvalue) * 0.5;
      double high = static_cast<double>(eigenvalue) * 2.0;
      for (int step = 0; step < 60; ++step) {
        const double middle = 0.5 * (low + high);
        (Completes(p, entry, middle) ? high : low) = middle;
      }
      const std::vector<double> diagonal(p, entry);
      EXPECT_GE(high + static_cast<Quad>(FactorisationSlack(diagonal, p - 1, high).value()),
                eigenvalue);
      completed_below += high < eigenvalue ? 1 : 0;
    }
  }
  EXPECT_GT(completed_below, 10);
}

TEST(NormProofTest, TheSlackGrowsWithCAndTakesTheSmallerBound) {
  const std::vector<double> diagonal(1000, 0.5);
  EXPECT_LE(FactorisationSlack(diagonal, 9, 1.0).value(),
            FactorisationSlack(diagonal, 9, 2.0).value());
  // By rows, 19 entries of at most g / 2 each; by the trace it would be 500 g.
  const double u = kUnitRoundoff64;
  EXPECT_NEAR(FactorisationSlack(diagonal, 9, 1.0).value(), (12.0 * 19.0 + 1.0) * 0.5 * u,
              1e-3 * u);
  const std::vector<double> one(1, 0.5);
  EXPECT_NEAR(FactorisationSlack(one, 0, 1.0).value(), (3.0 + 1.0) * 0.5 * u, 1e-3 * u);
}

}  // namespace
}  // namespace lipserve
