// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/attacks/exact_ball.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

using Inputs = std::vector<float>;
using Pixels = std::vector<std::uint8_t>;

bool InBall(const Inputs& a, const Inputs& b, double radius) {
  return IsInBall(std::span<const float>(a), std::span<const float>(b), radius);
}

bool InBall(const Pixels& a, const Pixels& b, double radius) {
  return IsInBall(std::span<const std::uint8_t>(a), std::span<const std::uint8_t>(b), radius);
}

// 3-4-5 triangles have exact radii: the edge is inside as far as 2^-90, the next double is out.
TEST(ExactBallTest, TellsNeighbouringRadiiApart) {
  for (const float scale : {1.0F, 0x1p-60F, 0x1p60F}) {
    const Inputs a = {3.0F * scale, 0.0F};
    const Inputs b = {0.0F, 4.0F * scale};
    const double radius = 5.0 * static_cast<double>(scale);
    EXPECT_TRUE(InBall(a, b, std::nextafter(radius, 1e300)));
    EXPECT_FALSE(InBall(a, b, std::nextafter(radius, 0.0)));
  }
}

// A move of 2^-100 beside one of 1: float64 cannot see it, the ball must.
TEST(ExactBallTest, SeesMovesThatFloat64Loses) {
  const Inputs origin = {0.0F, 0.0F};
  EXPECT_FALSE(InBall({1.0F, 0x1p-40F}, origin, 1.0));
  EXPECT_TRUE(InBall({1.0F - 0x1p-24F, 0x1p-40F}, origin, 1.0));
}

TEST(ExactBallTest, AgreesWithQuadruplePrecisionOnTheEdge) {
  std::mt19937_64 random(1);
  int inside = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    const Inputs a = RandomFloats(random, 100, 1.0);
    const Inputs b = RandomFloats(random, 100, 1.0);
    Quad squares = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
      const Quad moved = static_cast<Quad>(a[k]) - static_cast<Quad>(b[k]);
      squares += moved * moved;
    }
    const double nudge = static_cast<double>(trial % 9 - 4) * 0x1p-53;
    const double radius = std::sqrt(static_cast<double>(squares)) * (1.0 + nudge);
    const bool expected = squares <= static_cast<Quad>(radius) * static_cast<Quad>(radius);
    EXPECT_EQ(InBall(a, b, radius), expected);
    inside += expected ? 1 : 0;
  }
  EXPECT_GT(inside, 500);
  EXPECT_LT(inside, 1500);
}

TEST(ExactBallTest, RadiiWhoseSquareLeavesFloat64AreStillCompared) {
  EXPECT_TRUE(InBall(Inputs{0x1p-149F}, {0.0F}, 1e-44));
  EXPECT_FALSE(InBall(Inputs{0x1p-149F}, {0.0F}, 1e-300));
  EXPECT_TRUE(InBall(Inputs{0x1.fffffep127F}, {0.0F}, 1e300));
}

TEST(ExactBallTest, PixelDistancesAreIntegers) {
  const Pixels a = {0, 255, 7};
  const Pixels b = {255, 0, 7};
  EXPECT_TRUE(InBall(a, b, std::sqrt(2.0 * 255 * 255) * (1.0 + 1e-15)));
  EXPECT_FALSE(InBall(a, b, std::sqrt(2.0 * 255 * 255) * (1.0 - 1e-15)));
  EXPECT_TRUE(InBall({3, 0}, Pixels{0, 4}, 5.0));
  EXPECT_FALSE(InBall({3, 0}, Pixels{0, 4}, std::nextafter(5.0, 0.0)));
}

}  // namespace
}  // namespace lipserve
