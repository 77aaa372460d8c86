// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/roots_of_unity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/model/quad_eigenvalue.h"

namespace lipserve {
namespace {

struct QuadComplex {
  Quad re;
  Quad im;
};

QuadComplex Multiply(QuadComplex a, QuadComplex b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

QuadComplex Power(QuadComplex z, std::size_t n) {
  QuadComplex result{1, 0};
  for (; n > 0; n /= 2, z = Multiply(z, z)) {
    if (n % 2 == 1) result = Multiply(result, z);
  }
  return result;
}

// The root of z^n = 1 next to `near`, by Newton's iteration: no pi, no series.
QuadComplex NearestRoot(std::complex<double> near, std::size_t n) {
  QuadComplex z{near.real(), near.imag()};
  for (int step = 0; step < 4; ++step) {
    const QuadComplex power = Power(z, n);
    // z -= (z^n - 1) / (n z^(n - 1)) = z (z^n - 1) / (n z^n); |z^n| is near 1.
    const QuadComplex conjugate{power.re, -power.im};
    const Quad size = power.re * power.re + power.im * power.im;
    const QuadComplex ratio = Multiply({power.re - 1, power.im}, conjugate);
    const QuadComplex correction = Multiply(z, {ratio.re / size, ratio.im / size});
    z.re -= correction.re / static_cast<double>(n);
    z.im -= correction.im / static_cast<double>(n);
  }
  return z;
}

TEST(RootsOfUnityTest, EachPartIsWithinTheGuaranteedError) {
  for (const std::size_t n : {1U, 2U, 3U, 4U, 7U, 8U, 29U, 30U, 64U, 101U, 257U}) {
    const auto roots = RootsOfUnity(n);
    ASSERT_EQ(roots.size(), n);
    for (std::size_t k = 0; k < n; ++k) {
      const QuadComplex exact = NearestRoot(roots[k], n);
      EXPECT_LE(static_cast<double>(QuadAbs(exact.re - roots[k].real())), 0x1p-52) << k << "/" << n;
      EXPECT_LE(static_cast<double>(QuadAbs(exact.im - roots[k].imag())), 0x1p-52) << k << "/" << n;
      // And it is the k-th one.
      const double angle = 2.0 * M_PI * static_cast<double>(k) / static_cast<double>(n);
      EXPECT_NEAR(roots[k].real(), std::cos(angle), 1e-14);
      EXPECT_NEAR(roots[k].imag(), std::sin(angle), 1e-14);
    }
  }
}

}  // namespace
}  // namespace lipserve
