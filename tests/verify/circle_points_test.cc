// SPDX-License-Identifier: Apache-2.0
#include "client/verify/norms/circle_points.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "client/verify/exact/exact_number.h"

namespace lipserve::verify {
namespace {

mpq_class Value(const mpz_class& coordinate) { return ToRational(coordinate, kPointExponent); }

// 2^kPointErrorExponent times `count`.
mpq_class Errors(long count) { return ToRational(mpz_class(count), kPointErrorExponent); }

void ExpectNear(const mpz_class& coordinate, const mpq_class& value) {
  EXPECT_LE(abs(mpq_class(Value(coordinate) - value)), Errors(1));
}

TEST(CirclePointsTest, KnowsThePointsThatAreRational) {
  const auto points = CirclePoints(12);
  const mpq_class half(1, 2);
  const mpq_class cosines[] = {1, 0, half, 0, -half, 0, -1, 0, -half, 0, half, 0};
  for (const std::size_t k : {0U, 2U, 3U, 4U, 6U, 8U, 9U, 10U}) {
    ExpectNear(points[k].cosine, cosines[k]);
    ExpectNear(points[(k + 3) % 12].sine, cosines[k]);
  }
}

TEST(CirclePointsTest, LieOnTheCircleAndAddUpTheirAngles) {
  for (const std::size_t count : {1U, 2U, 7U, 30U, 33U, 101U}) {
    const auto points = CirclePoints(count);
    ASSERT_EQ(points.size(), count);
    for (std::size_t k = 0; k < count; ++k) {
      const mpq_class c = Value(points[k].cosine);
      const mpq_class s = Value(points[k].sine);
      // Errors of two coordinates below 1.01, times two.
      EXPECT_LE(abs(mpq_class(c * c + s * s - 1)), Errors(5));
      const CirclePoint& first = points[1 % count];
      const CirclePoint& next = points[(k + 1) % count];
      EXPECT_LE(
          abs(mpq_class(c * Value(first.cosine) - s * Value(first.sine) - Value(next.cosine))),
          Errors(6));
      EXPECT_LE(abs(mpq_class(c * Value(first.sine) + s * Value(first.cosine) - Value(next.sine))),
                Errors(6));
    }
  }
}

// Adding up does not tell the first turn from the second.
TEST(CirclePointsTest, AgreeWithTheLibraryInFloat64) {
  for (const std::size_t count : {5U, 64U, 1122U}) {
    const auto points = CirclePoints(count);
    for (std::size_t k = 0; k < count; ++k) {
      const double angle =
          2.0 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(count);
      EXPECT_NEAR(Value(points[k].cosine).get_d(), std::cos(angle), 1e-14);
      EXPECT_NEAR(Value(points[k].sine).get_d(), std::sin(angle), 1e-14);
    }
  }
}

}  // namespace
}  // namespace lipserve::verify
