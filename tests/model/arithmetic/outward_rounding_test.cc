// SPDX-License-Identifier: Apache-2.0
#include "model/arithmetic/outward_rounding.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <cmath>
#include <limits>
#include <random>

#include "tests/model/network_fixtures.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace lipserve {
namespace {

TEST(UpperTest, EveryOperationBoundsTheExactResultWithinTwoUnits) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-200.0, 200.0);
  for (int trial = 0; trial < 100000; ++trial) {
    const double a = std::exp2(exponent(random));
    const double b = std::exp2(exponent(random));
    const Quad sum = static_cast<Quad>(a) + b;
    const Quad product = static_cast<Quad>(a) * b;
    const Quad root = static_cast<Quad>(SqrtUp(Upper(a)).value());
    EXPECT_GE(static_cast<Quad>((Upper(a) + Upper(b)).value()), sum * (1 - 0x1p-110));
    EXPECT_GE(static_cast<Quad>((Upper(a) * Upper(b)).value()), product);
    EXPECT_LE((Upper(a) * Upper(b)).value(), static_cast<double>(product) * (1.0 + 0x1p-51));
    EXPECT_GE(root * root, static_cast<Quad>(a));
    EXPECT_GE(static_cast<Quad>(DivideUp(Upper(a), b).value()) * b, static_cast<Quad>(a));
  }
}

TEST(UpperTest, DoubtIsInfinity) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(Upper(nan).value(), infinity);
  EXPECT_EQ(Upper(-1.0).value(), infinity);
  EXPECT_EQ((Upper(infinity) * Upper(0.0)).value(), infinity);
  EXPECT_EQ((Upper(1e300) * Upper(1e300)).value(), infinity);
  EXPECT_EQ(DivideUp(Upper(1.0), 0.0).value(), infinity);
  EXPECT_EQ(DivideUp(Upper(1.0), nan).value(), infinity);
}

TEST(UpperTest, UnderflowDoesNotLoseTheBound) {
  EXPECT_GT((Upper(1e-300) * Upper(1e-300)).value(), 0.0);
}

TEST(GammaTest, IsAboveTheExactFractionAndInfiniteWhereItMeansNothing) {
  for (const double k : {1.0, 2.0, 785.0, 4194305.0}) {
    for (const double u : {kUnitRoundoff32, kUnitRoundoff64}) {
      const Quad ku = static_cast<Quad>(k) * u;
      const Quad exact = ku / (1 - ku);
      EXPECT_GE(static_cast<Quad>(Gamma(k, u).value()), exact);
      EXPECT_LE(Gamma(k, u).value(), static_cast<double>(exact) * (1.0 + 1e-6));
    }
  }
  EXPECT_EQ(Gamma(0x1p23, kUnitRoundoff32).value(), std::numeric_limits<double>::infinity());
}

TEST(DownTest, ResultsAreBelowTheExactOnes) {
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 100000; ++trial) {
    const double a = normal(random);
    const double b = std::fabs(normal(random)) * 1e-3;
    EXPECT_LT(static_cast<Quad>(SubtractDown(a, b)), static_cast<Quad>(a) - b);
    const double quotient = DivideDown(std::fabs(a), b);
    EXPECT_LE(static_cast<Quad>(quotient) * b, static_cast<Quad>(std::fabs(a)));
    EXPECT_GE(quotient * (1.0 + 0x1p-50), std::fabs(a) / b);
  }
}

TEST(DownTest, DivisionRefusesWhatProvesNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(DivideDown(nan, 1.0), 0.0);
  EXPECT_EQ(DivideDown(1.0, nan), 0.0);
  EXPECT_EQ(DivideDown(-1.0, 1.0), 0.0);
  EXPECT_EQ(DivideDown(1.0, 0.0), 0.0);
  EXPECT_EQ(DivideDown(1.0, std::numeric_limits<double>::infinity()), 0.0);
  EXPECT_LT(DivideDown(1e300, 1e-300), std::numeric_limits<double>::infinity());
}

#if defined(__x86_64__)
TEST(ScopedStrictFloatingPointTest, UndoesFlushingAndRoundingModesAndRestoresThem) {
  const unsigned flush_and_zero = 0x8040;
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | flush_and_zero);
  std::fesetround(FE_UPWARD);
  {
    const ScopedStrictFloatingPoint strict;
    EXPECT_EQ(_mm_getcsr() & flush_and_zero, 0U);
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
  }
  EXPECT_EQ(_mm_getcsr() & flush_and_zero, flush_and_zero);
  EXPECT_EQ(std::fegetround(), FE_UPWARD);
  std::fesetround(FE_TONEAREST);
  _mm_setcsr(before);
}
#endif

}  // namespace
}  // namespace lipserve
