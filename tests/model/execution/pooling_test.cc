// SPDX-License-Identifier: Apache-2.0
// Pools at the edges of their formats; layer_evaluation_test.cc holds them against their
// definitions elsewhere.
#include "model/execution/pooling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "model/arithmetic/outward_rounding.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

constexpr double kSmallestSubnormal64 = std::numeric_limits<double>::denorm_min();

// One window of `x`, one channel.
template <typename Number>
Number AverageOf(const std::vector<Number>& x, float scale) {
  Number y = 0;
  AveragePool({.window_height = 1, .window_width = x.size(), .scale = scale}, {1, 1, x.size()},
              x.data(), &y);
  return y;
}

template <typename Number>
Number NormOf(const std::vector<Number>& x) {
  Number y = 0;
  L2NormPool({.window_height = x.size(), .window_width = 1}, {1, x.size(), 1}, x.data(), &y);
  return y;
}

TEST(AveragePoolTest, NoFloat32SumOverflowsThatTheResultDoesNot) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  EXPECT_EQ(AverageOf<float>({kLargest, kLargest, kLargest, kLargest}, 0.25F), kLargest);
  EXPECT_EQ(AverageOf<float>({kLargest, kLargest, -kLargest, -kLargest}, 1.0F), 0.0F);
  EXPECT_EQ(AverageOf<float>({kLargest, kLargest}, 0x1p-126F), kLargest * 0x1p-126F * 2.0F);
}

TEST(L2NormPoolTest, IsExactWhereTheRootIs) {
  EXPECT_EQ(NormOf<float>({3.0F, -4.0F}), 5.0F);
  EXPECT_EQ(NormOf<double>({3.0, -4.0}), 5.0);
  EXPECT_EQ(NormOf<float>({0.0F, -0.0F}), 0.0F);
  EXPECT_EQ(NormOf<double>({0.0, -0.0}), 0.0);
  EXPECT_EQ(NormOf<double>({-7.0}), 7.0);
}

TEST(L2NormPoolTest, NoFloat32SquareOverflowsOrIsLost) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(NormOf<float>({kLargest, 0.0F}), kLargest);
  EXPECT_EQ(NormOf<float>({3.0F * 0x1p120F, 4.0F * 0x1p120F}), 5.0F * 0x1p120F);
  EXPECT_EQ(NormOf<float>({3.0F * 0x1p-140F, 4.0F * 0x1p-140F}), 5.0F * 0x1p-140F);
  EXPECT_EQ(NormOf<float>({-kSmallest, 0.0F}), kSmallest);
}

TEST(L2NormPoolTest, NoFloat64SquareOverflowsOrIsLost) {
  for (const double scale : {0x1p1020, 0x1p600, 0x1p-600, 0x1p-1000, 0x1p-1022, 0x1p-1070}) {
    EXPECT_EQ(NormOf<double>({3.0 * scale, -4.0 * scale}), 5.0 * scale) << scale;
  }
  EXPECT_EQ(NormOf<double>({kSmallestSubnormal64}), kSmallestSubnormal64);
  EXPECT_EQ(NormOf<double>({std::numeric_limits<double>::max(), 1.0}),
            std::numeric_limits<double>::max());
}

// The Guarantee, for windows whose numbers differ by any power of two.
TEST(L2NormPoolTest, ErrsRelativelyByGammaWhateverTheMagnitudes) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  double worst = 0.0;
  for (int trial = 0; trial < 20000; ++trial) {
    const std::size_t n = 1 + random() % 12;
    const int centre = static_cast<int>(random() % 1900) - 1000;
    std::vector<double> x(n);
    for (double& value : x) {
      value = std::ldexp(normal(random),
                         centre - static_cast<int>(random() % 80) * static_cast<int>(random() % 2));
    }
    // Scaled towards 1, exactly, so that the oracle's root starts in range.
    Quad squares = 0;
    for (const double value : x) {
      const Quad scaled = static_cast<Quad>(value) * std::ldexp(1.0, -centre / 2) *
                          std::ldexp(1.0, -(centre - centre / 2));
      squares += scaled * scaled;
    }
    const Quad got = static_cast<Quad>(NormOf(x)) * std::ldexp(1.0, -centre / 2) *
                     std::ldexp(1.0, -(centre - centre / 2));
    const Quad exact = QuadSqrt(squares);
    const Quad tiny = static_cast<Quad>(kSmallestSubnormal64) * std::ldexp(1.0, -centre / 2) *
                      std::ldexp(1.0, -(centre - centre / 2));
    const bool is_normal = NormOf(x) >= kSmallestNormal64;
    const Quad allowed =
        exact * Gamma(static_cast<double>(n + 1), kUnitRoundoff64).value() + (is_normal ? 0 : tiny);
    ASSERT_LE(QuadAbs(got - exact), allowed) << n << " numbers around 2^" << centre;
    worst = std::max(worst, static_cast<double>(QuadAbs(got - exact) / allowed));
  }
  EXPECT_GT(worst, 0.3);
}

// ||pool(a) - pool(b)|| <= ||a - b||, up to what the rounding of both may add.
template <typename Number>
void ExpectNeverIncreasesADistance(double unit_roundoff) {
  std::mt19937_64 random(2);
  const L2NormPoolLayer pool{.window_height = 2, .window_width = 3};
  const SampleShape shape{5, 4, 6};
  for (int trial = 0; trial < 300; ++trial) {
    const auto a32 = RandomFloats(random, shape.size(), 1.0);
    const auto step = RandomFloats(random, shape.size(), std::pow(10.0, -(trial % 5)));
    const std::vector<Number> a(a32.begin(), a32.end());
    std::vector<Number> b = a;
    for (std::size_t k = 0; k < b.size(); ++k) b[k] += static_cast<Number>(step[k]);
    std::vector<Number> pooled_a(OutputShape(pool, shape).size());
    std::vector<Number> pooled_b(pooled_a.size());
    L2NormPool(pool, shape, a.data(), pooled_a.data());
    L2NormPool(pool, shape, b.data(), pooled_b.data());
    const auto distance = [](const std::vector<Number>& p, const std::vector<Number>& q) {
      Quad sum = 0;
      for (std::size_t k = 0; k < p.size(); ++k) {
        const Quad d = static_cast<Quad>(p[k]) - q[k];
        sum += d * d;
      }
      return static_cast<double>(QuadSqrt(sum));
    };
    const std::vector<Number> origin_a(pooled_a.size(), 0);
    const double rounding =
        7 * unit_roundoff * (distance(pooled_a, origin_a) + distance(pooled_b, origin_a));
    ASSERT_LE(distance(pooled_a, pooled_b), distance(a, b) + rounding);
  }
}

TEST(L2NormPoolTest, NeverIncreasesADistance) {
  ExpectNeverIncreasesADistance<float>(kUnitRoundoff32);
  ExpectNeverIncreasesADistance<double>(kUnitRoundoff64);
}

}  // namespace
}  // namespace lipserve
