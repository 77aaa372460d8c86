// SPDX-License-Identifier: Apache-2.0
#include "client/directed_decimal.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace lipserve {
namespace {

// A decimal of at most 60 places and the value of a double, both as exact text of 1074 places.
std::string Exact(double value) {
  std::string text(2048, '\0');
  text.resize(static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%.1074f", value)));
  return text;
}

// Compares two non-negative decimal texts exactly: negative, zero or positive.
int CompareDecimals(std::string a, std::string b) {
  const auto pad = [](std::string& text, std::size_t integer, std::size_t fraction) {
    if (text.find('.') == std::string::npos) text += '.';
    text.insert(0, integer - text.find('.'), '0');
    text.append(fraction - (text.size() - text.find('.') - 1), '0');
  };
  pad(a, 400, 1100);
  pad(b, 400, 1100);
  return a.compare(b);
}

double RandomPositive(std::mt19937_64& random) {
  std::uniform_real_distribution<double> exponent(-30.0, 20.0);
  return std::pow(10.0, exponent(random));
}

TEST(DirectedDecimalTest, RoundsDownWherePrintfRoundsUp) {
  EXPECT_EQ(DecimalRoundedDown(1.99999, 2), "1.99");
  EXPECT_EQ(DecimalRoundedDown(0.3, 1), "0.2");  // the double 0.3 is below 0.3
  EXPECT_EQ(DecimalRoundedDown(std::nextafter(2.0, 0.0), 4), "1.9999");
  EXPECT_EQ(DecimalRoundedDown(312.0, 2), "312.00");
  EXPECT_EQ(DecimalRoundedDown(0.0, 4), "0.0000");
  EXPECT_EQ(DecimalRoundedDown(7.9, 0), "7");
  EXPECT_EQ(DecimalRoundedDown(std::numeric_limits<double>::infinity(), 2), "inf");
}

TEST(DirectedDecimalTest, RoundsUpWithCarry) {
  EXPECT_EQ(DecimalRoundedUp(std::nextafter(1.0, 2.0), 10), "1.0000000001");
  EXPECT_EQ(DecimalRoundedUp(9.9999, 2), "10.00");
  EXPECT_EQ(DecimalRoundedUp(1.0, 10), "1.0000000000");
  EXPECT_EQ(DecimalRoundedUp(0.1, 1), "0.2");  // the double 0.1 is above 0.1
}

TEST(DirectedDecimalTest, TextNeverCrossesTheValue) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const double value = RandomPositive(random);
    const std::string exact = Exact(value);
    for (const int decimals : {0, 2, 4, 10}) {
      ASSERT_LE(CompareDecimals(DecimalRoundedDown(value, decimals), exact), 0) << value;
      ASSERT_GE(CompareDecimals(DecimalRoundedUp(value, decimals), exact), 0) << value;
    }
  }
}

TEST(DirectedDecimalTest, JsonNumberNeverCrossesTheValueAsTextOrParsed) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 2000; ++i) {
    const double value = RandomPositive(random);
    const double down = TwelveDigitsRoundedDown(value);
    const double up = TwelveDigitsRoundedUp(value);
    ASSERT_LE(down, value);
    ASSERT_GE(up, value);
    ASSERT_GE(down, value * (1.0 - 1e-11));
    ASSERT_LE(up, value * (1.0 + 1e-11));
    // The text that JSON shows denotes a real number; compare in more digits than a double has.
    const std::string text = nlohmann::json(down).dump();
    ASSERT_LE(std::strtold(text.c_str(), nullptr), static_cast<long double>(value)) << text;
    const std::string text_up = nlohmann::json(up).dump();
    ASSERT_GE(std::strtold(text_up.c_str(), nullptr), static_cast<long double>(value)) << text_up;
  }
}

TEST(DirectedDecimalTest, TwelveDigitsCoverTheWholeRangeOfDoubles) {
  EXPECT_EQ(TwelveDigitsRoundedDown(0.0), 0.0);
  EXPECT_EQ(TwelveDigitsRoundedDown(std::numeric_limits<double>::denorm_min()), 0.0);
  EXPECT_GT(TwelveDigitsRoundedUp(std::numeric_limits<double>::denorm_min()), 0.0);
  EXPECT_EQ(TwelveDigitsRoundedDown(1.5), 1.5);
  EXPECT_EQ(TwelveDigitsRoundedDown(123456789012345.0), 123456789012000.0);
  EXPECT_EQ(TwelveDigitsRoundedUp(123456789012345.0), 123456789013000.0);
  const double largest = std::numeric_limits<double>::max();
  EXPECT_LT(TwelveDigitsRoundedDown(largest), largest);
  EXPECT_GT(TwelveDigitsRoundedDown(largest), largest * (1.0 - 1e-11));
}

TEST(DirectedDecimalTest, HexFloatIsExact) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 100; ++i) {
    const double value = RandomPositive(random);
    EXPECT_EQ(std::strtod(HexFloat(value).c_str(), nullptr), value);
  }
  EXPECT_EQ(HexFloat(1.5), "0x1.8p+0");
}

}  // namespace
}  // namespace lipserve
