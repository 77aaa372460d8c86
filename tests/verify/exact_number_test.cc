// SPDX-License-Identifier: Apache-2.0
#include "client/verify/exact/exact_number.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace lipserve::verify {
namespace {

using ::testing::HasSubstr;

std::string Bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

// GMP's own conversion from double is exact: the oracle.
mpq_class Exact(double value) { return mpq_class(value); }

TEST(ExactNumberTest, EveryFiniteBinary32HasItsValue) {
  std::mt19937 random(1);
  std::vector<float> values = {0.0F,      -0.0F,          1.0F, -1.5F, 0x1p-149F, -0x1.fffffcp-127F,
                               0x1p-126F, 0x1.fffffep127F};
  while (values.size() < 10000) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isfinite(value)) values.push_back(value);
  }
  const auto vector = FromBinary32(Bytes(values), Binary32Rule::kFinite);
  ASSERT_TRUE(vector.ok());
  for (std::size_t k = 0; k < values.size(); ++k) {
    ASSERT_EQ(ToRational(vector->numbers[k], vector->exponent),
              Exact(static_cast<double>(values[k])));
  }
}

TEST(ExactNumberTest, RefusesWhatIsNoNumberNamingThePosition) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()}) {
    const auto vector = FromBinary32(Bytes({1.0F, 2.0F, bad}), Binary32Rule::kFinite);
    EXPECT_THAT(std::string(vector.status().message()), HasSubstr("number 2"));
  }
  EXPECT_FALSE(FromBinary32("abc", Binary32Rule::kFinite).ok());
}

TEST(ExactNumberTest, RefusesSubnormalsWhereTheFormatDoes) {
  EXPECT_TRUE(FromBinary32(Bytes({0.0F, -0.0F, 0x1p-126F}), Binary32Rule::kZeroOrNormal).ok());
  const auto vector = FromBinary32(Bytes({1.0F, 0x1p-127F}), Binary32Rule::kZeroOrNormal);
  EXPECT_THAT(std::string(vector.status().message()), HasSubstr("number 1"));
}

TEST(ExactNumberTest, EveryFiniteBinary64HasItsValue) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 10000; ++i) {
    const auto value = std::bit_cast<double>(random());
    const auto exact = FromBinary64(std::bit_cast<std::uint64_t>(value));
    ASSERT_EQ(exact.ok(), std::isfinite(value));
    if (exact.ok()) {
      ASSERT_EQ(ToRational(*exact), Exact(value));
    }
  }
  for (const double value : {0.0, 0x1p-1074, -0x1p-1023, 0x1p-1022}) {
    EXPECT_EQ(ToRational(*FromBinary64(std::bit_cast<std::uint64_t>(value))), Exact(value));
  }
}

TEST(ExactNumberTest, TheNearestBinary32IsThatOfTheProcessor) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> exponent(-100.0, 100.0);
  for (int i = 0; i < 10000; ++i) {
    const double value = std::exp2(exponent(random));
    ASSERT_EQ(ToRational(NearestBinary32(Exact(value))),
              Exact(static_cast<double>(static_cast<float>(value))));
  }
}

TEST(ExactNumberTest, TiesGoToTheEvenBinary32) {
  const double tiny = 0x1p-60;
  EXPECT_EQ(ToRational(NearestBinary32(Exact(1.0 + 0x1p-24))), 1);
  EXPECT_EQ(ToRational(NearestBinary32(Exact(1.0 + 3 * 0x1p-24))), Exact(1.0 + 0x1p-22));
  EXPECT_EQ(ToRational(NearestBinary32(Exact(1.0 + 0x1p-24) + Exact(tiny))), Exact(1.0 + 0x1p-23));
  EXPECT_EQ(ToRational(NearestBinary32(Exact(1.0 + 3 * 0x1p-24) - Exact(tiny))),
            Exact(1.0 + 0x1p-23));
  EXPECT_EQ(ToRational(NearestBinary32(Exact(2.0 - 0x1p-30))), 2);
  EXPECT_EQ(ToRational(NearestBinary32(0)), 0);
}

}  // namespace
}  // namespace lipserve::verify
