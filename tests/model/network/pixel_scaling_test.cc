// SPDX-License-Identifier: Apache-2.0
#include "model/network/pixel_scaling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "tests/model/network_fixtures.h"

namespace lipserve {
namespace {

TEST(PixelScalingTest, TableHoldsTheNearestFloats) {
  const PixelScaling scaling(255.0);
  EXPECT_EQ(scaling[0], 0.0F);
  EXPECT_EQ(scaling[255], 1.0F);
  for (int pixel = 0; pixel < 256; ++pixel) {
    const auto p = static_cast<std::uint8_t>(pixel);
    EXPECT_EQ(scaling[p], static_cast<float>(pixel) / 255.0F) << pixel;
  }
}

// The quotient lies just beside the middle of two float32 numbers, where float64 cannot see it.
TEST(PixelScalingTest, EntriesAreRoundedOnce) {
  const double divisor = 0x1.19f43094b26c1p-1;
  const float entry = PixelScaling(divisor)[1];
  const auto distance = [&](float candidate) {
    const Quad difference = static_cast<Quad>(candidate) * divisor - 1;
    return difference < 0 ? -difference : difference;
  };
  EXPECT_LT(distance(entry), distance(std::nextafter(entry, 0.0F)));
  EXPECT_LT(distance(entry), distance(std::nextafter(entry, 10.0F)));
  EXPECT_NE(entry, static_cast<float>(1.0 / divisor));
}

// Any two pixel values: their inputs are never further apart than L times the pixels' distance.
TEST(PixelScalingTest, APixelRadiusNeverExceedsTheInputRadius) {
  for (const double divisor : {255.0, 1.0, 256.0, 127.5, 3.7}) {
    const PixelScaling scaling(divisor);
    const double radius = 1.25;
    const double pixels = scaling.PixelRadius(radius);
    EXPECT_NEAR(pixels, radius * divisor, radius * divisor * 1e-4);
    for (int p = 0; p < 256; ++p) {
      for (int q = 0; q < p; ++q) {
        const Quad moved = static_cast<Quad>(scaling[static_cast<std::uint8_t>(p)]) -
                           scaling[static_cast<std::uint8_t>(q)];
        // |T(p) - T(q)| * pixels <= radius * |p - q|, exactly.
        EXPECT_LE(moved * static_cast<Quad>(pixels), static_cast<Quad>(radius) * (p - q));
      }
    }
  }
}

TEST(PixelScalingTest, NoRadiusStaysNone) {
  const PixelScaling scaling(255.0);
  EXPECT_EQ(scaling.PixelRadius(0.0), 0.0);
  EXPECT_EQ(scaling.PixelRadius(std::numeric_limits<double>::quiet_NaN()), 0.0);
}

// Radii where a rounded square lands on the wrong side of an integer: the roots of integers, of
// perfect squares above all, and their neighbours.
std::vector<double> RadiiNextToRootsOfIntegers() {
  std::vector<double> radii;
  std::mt19937_64 random(1);
  for (int bits = 0; bits < 64; ++bits) {
    for (int trial = 0; trial < 200; ++trial) {
      const std::uint64_t square = (random() >> (63 - bits)) | 1;
      const double root = std::sqrt(static_cast<double>(square));
      for (const double near : {root, std::floor(root)}) {
        radii.push_back(near);
        radii.push_back(std::nextafter(near, 0.0));
        radii.push_back(std::nextafter(near, 1e300));
      }
    }
  }
  return radii;
}

// A square has 106 bits, so quadruple precision holds it exactly.
TEST(SquaredRadiusTest, IsTheFloorOfTheExactSquare) {
  for (const double radius : RadiiNextToRootsOfIntegers()) {
    if (radius < 0.0 || radius >= 0x1p32) continue;
    const Quad square = static_cast<Quad>(radius) * radius;
    const auto floor = static_cast<Quad>(SquaredRadiusDown(radius));
    ASSERT_LE(floor, square) << radius;
    ASSERT_GT(floor + 1, square) << radius;
  }
}

TEST(SquaredRadiusTest, IsNeverLargerThanTheSquareEvenWhereItDoesNotFit) {
  constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(SquaredRadiusDown(std::nextafter(0x1p32, 0.0)), kLargest - 4095);
  EXPECT_EQ(SquaredRadiusDown(0x1p32), kLargest);
  EXPECT_EQ(SquaredRadiusDown(std::numeric_limits<double>::max()), kLargest);
  EXPECT_EQ(SquaredRadiusDown(std::numeric_limits<double>::infinity()), kLargest);
}

TEST(SquaredRadiusTest, WhatIsNoRadiusOrBelowAPixelStepIsZero) {
  for (const double none :
       {0.0, -0.0, -1.0, -1e300, 0.5, std::nextafter(1.0, 0.0),
        std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(SquaredRadiusDown(none), 0U) << none;
  }
  EXPECT_EQ(SquaredRadiusDown(1.0), 1U);
}

TEST(PixelScalingTest, UnusableDivisorsAreRecognised) {
  for (const double bad : {0.0, -255.0, std::numeric_limits<double>::quiet_NaN(),
                           std::numeric_limits<double>::infinity(), 1e-30}) {
    EXPECT_FALSE(IsValidPixelDivisor(bad)) << bad;
  }
  EXPECT_TRUE(IsValidPixelDivisor(255.0));
}

}  // namespace
}  // namespace lipserve
