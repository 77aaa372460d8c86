// SPDX-License-Identifier: Apache-2.0
#include "client/verify/exact/number_text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace lipserve::verify {
namespace {

TEST(NumberTextTest, ReadsHexadecimalFloatingPointExactly) {
  for (const char* const text :
       {"0x1.8p+0", "0x0p+0", "0x1p-1074", "0x1.fffffffffffffp+1023", "0XaP3", "0x.8p1", "0x3p-1",
        "0x1.921fb54442d18p+1", "0xA.Cp-3", "0x7"}) {
    const auto value = ParseNumber(text);
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(*value, mpq_class(std::strtod(text, nullptr))) << text;
  }
}

TEST(NumberTextTest, ReadsDecimalsExactlyNotAsBinaryNumbers) {
  EXPECT_EQ(*ParseNumber("0.1"), mpq_class(1, 10));
  EXPECT_EQ(*ParseNumber("12.50"), mpq_class(25, 2));
  EXPECT_EQ(*ParseNumber("15e-1"), mpq_class(3, 2));
  EXPECT_EQ(*ParseNumber("2.5E+2"), 250);
  EXPECT_EQ(*ParseNumber("0"), 0);
}

TEST(NumberTextTest, RefusesWhatIsNoNumberThatCanBeARadius) {
  for (const std::string text :
       {"",     "-1",      "+1",        "nan",   "inf",       "-0x1p+0", "0x", "0xp1",
        ".",    "1.2.3",   "1e",        "1e+",   "0x1p",      "1 ",      " 1", "1f",
        "0x1g", "1e99999", "0x1p+9999", "1e401", "0x1p+1201", "1e4e4"}) {
    EXPECT_FALSE(ParseNumber(text).ok()) << text;
  }
  EXPECT_FALSE(ParseNumber(std::string(101, '1')).ok());
}

TEST(NumberTextTest, PrintsNothingOnTheWrongSide) {
  const mpq_class third(1, 3);
  EXPECT_EQ(DecimalRoundedDown(third), "0.333333333333333");
  EXPECT_EQ(DecimalRoundedUp(third), "0.333333333333334");
  EXPECT_EQ(DecimalRoundedDown(mpq_class(5, 4)), "1.25");
  EXPECT_EQ(DecimalRoundedUp(mpq_class(5, 4)), "1.25");
  EXPECT_EQ(DecimalRoundedUp(10 - mpq_class(1, 1000000000) / 1000000000), "10");
  EXPECT_EQ(DecimalRoundedDown(mpq_class(1000)), "1000");
  EXPECT_EQ(DecimalRoundedDown(mpq_class(1, 10000000)), "1.00000000000000e-7");
  EXPECT_EQ(DecimalRoundedDown(0), "0");
  EXPECT_EQ(RootRoundedDown(mpq_class(2)), "1.41421356237309");
  EXPECT_EQ(RootRoundedDown(mpq_class(1, 2)), "0.707106781186547");
  EXPECT_EQ(RootRoundedDown(mpq_class(1, 1000)), "0.0316227766016837");
  EXPECT_EQ(RootRoundedDown(mpq_class(62500)), "250");
}

TEST(NumberTextTest, HexTextIsReadBackExactly) {
  const Dyadic value{.number = mpz_class("4503599660005494"), .exponent = -52};
  EXPECT_EQ(*ParseNumber(HexText(value)), ToRational(value));
}

}  // namespace
}  // namespace lipserve::verify
