// SPDX-License-Identifier: Apache-2.0
#include "client/directed_decimal.h"

#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_format.h"

namespace lipserve {
namespace {

constexpr int kSignificantDigits = 12;
// Below, doubles run out of digits.
constexpr double kSmallest = 1e-300;

// All digits of a double: 2^-1074 is the last place, and glibc prints every one of them exactly.
constexpr int kAllDecimals = 1074;

std::string ExactDecimal(double value) {
  const int length = std::snprintf(nullptr, 0, "%.*f", kAllDecimals, value);
  std::string text(static_cast<std::size_t>(length), '\0');
  std::snprintf(text.data(), text.size() + 1, "%.*f", kAllDecimals, value);
  return text;
}

// The digits of `text` up to `decimals` places after the point.
std::string Truncate(const std::string& text, int decimals) {
  const std::size_t point = text.find('.');
  return text.substr(0, decimals == 0 ? point : point + 1 + static_cast<std::size_t>(decimals));
}

// Adds one to the last place of a decimal number.
std::string Increment(std::string text) {
  for (std::size_t i = text.size(); i-- > 0;) {
    if (text[i] == '.') continue;
    if (text[i] != '9') {
      ++text[i];
      return text;
    }
    text[i] = '0';
  }
  return "1" + text;
}

bool AllZeros(const std::string& text, std::size_t begin) {
  return text.find_first_not_of(".0", begin) == std::string::npos;
}

// `value`, which has a non-zero digit, with zeros after its twelfth significant one.
double RoundToTwelveDigits(double value, bool up) {
  const std::string exact = ExactDecimal(value);
  std::size_t end = exact.find_first_of("123456789");
  for (int digits = 0; digits < kSignificantDigits; ++end) {
    if (exact[end] != '.') ++digits;
  }
  std::string text = exact.substr(0, end);
  if (up && !AllZeros(exact, end)) text = Increment(std::move(text));
  const std::size_t point = exact.find('.');
  if (end < point) text.append(point - end, '0');
  return std::strtod(text.c_str(), nullptr);
}

}  // namespace

std::string DecimalRoundedDown(double value, int decimals) {
  assert(value >= 0.0 && decimals >= 0 && decimals <= 60);
  if (std::isinf(value)) return "inf";
  return Truncate(ExactDecimal(value), decimals);
}

std::string DecimalRoundedUp(double value, int decimals) {
  assert(value >= 0.0 && decimals >= 0 && decimals <= 60);
  if (std::isinf(value)) return "inf";
  const std::string exact = ExactDecimal(value);
  std::string text = Truncate(exact, decimals);
  return AllZeros(exact, text.size()) ? text : Increment(std::move(text));
}

double TwelveDigitsRoundedDown(double value) {
  assert(value >= 0.0 && std::isfinite(value));
  return value < kSmallest ? 0.0 : RoundToTwelveDigits(value, false);
}

double TwelveDigitsRoundedUp(double value) {
  assert(value >= 0.0 && std::isfinite(value));
  if (value < kSmallest) return value == 0.0 ? 0.0 : kSmallest;
  return RoundToTwelveDigits(value, true);
}

std::string HexFloat(double value) { return absl::StrFormat("%a", value); }

}  // namespace lipserve
