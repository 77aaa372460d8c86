// SPDX-License-Identifier: Apache-2.0
#include "client/verify/exact/number_text.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/verify/exact/exact_number.h"

namespace lipserve::verify {
namespace {

constexpr std::size_t kMaxLength = 100;
// Wider than the exponents of binary64, with room for the digits of a written number.
constexpr long kMaxBinaryExponent = 1200;
constexpr long kMaxDecimalExponent = 400;
constexpr long kSignificantDigits = 15;

std::optional<int> DigitValue(char digit, int base) {
  int value = base;
  if (digit >= '0' && digit <= '9') value = digit - '0';
  if (digit >= 'a' && digit <= 'f') value = digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') value = digit - 'A' + 10;
  if (value >= base) return std::nullopt;
  return value;
}

// Digits with an optional point: their value without the point, and how many follow it.
struct Digits {
  mpz_class value;
  long after_point = 0;
};

std::optional<Digits> ReadDigits(const std::string& text, int base) {
  Digits digits;
  bool has_digit = false;
  bool has_point = false;
  for (const char c : text) {
    if (c == '.' && !has_point) {
      has_point = true;
      continue;
    }
    const std::optional<int> digit = DigitValue(c, base);
    if (!digit) return std::nullopt;
    has_digit = true;
    digits.value = digits.value * base + *digit;
    if (has_point) ++digits.after_point;
  }
  if (!has_digit) return std::nullopt;
  return digits;
}

// "+12", "-3", "4": at most four digits.
std::optional<long> ReadExponent(const std::string& text) {
  const bool has_sign = !text.empty() && (text[0] == '+' || text[0] == '-');
  const std::string digits = text.substr(has_sign ? 1 : 0);
  if (digits.empty() || digits.size() > 4) return std::nullopt;
  long value = 0;
  for (const char c : digits) {
    const std::optional<int> digit = DigitValue(c, 10);
    if (!digit) return std::nullopt;
    value = 10 * value + *digit;
  }
  return text[0] == '-' ? -value : value;
}

mpz_class PowerOfTen(long exponent) {
  mpz_class power;
  mpz_ui_pow_ui(power.get_mpz_t(), 10, static_cast<unsigned long>(exponent));
  return power;
}

// 10^exponent, also for negative exponents.
mpq_class TenTo(long exponent) {
  return exponent >= 0 ? mpq_class(PowerOfTen(exponent)) : 1 / mpq_class(PowerOfTen(-exponent));
}

// The number in front of `marker` and the exponent behind it, or 0 if there is none.
struct Written {
  Digits digits;
  long exponent = 0;
};

std::optional<Written> Split(const std::string& text, const char* marker, int base, long limit) {
  const std::size_t end = text.find_first_of(marker);
  const std::optional<Digits> digits = ReadDigits(text.substr(0, end), base);
  std::optional<long> exponent = 0;
  if (end != std::string::npos) exponent = ReadExponent(text.substr(end + 1));
  if (!digits || !exponent || *exponent < -limit || *exponent > limit) return std::nullopt;
  return Written{*digits, *exponent};
}

// The number `digits` * 10^(exponent + 1 - kSignificantDigits), for people.
std::string PlaceThePoint(const mpz_class& number, long exponent) {
  std::string digits = number.get_str();
  if (digits.size() > kSignificantDigits) {  // rounded up to the next power of ten
    digits.pop_back();
    ++exponent;
  }
  if (exponent >= 0 && exponent < kSignificantDigits) {
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    std::string text = digits.substr(0, whole) + "." + digits.substr(whole);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
  }
  if (exponent < 0 && exponent >= -5) {
    return "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  }
  return absl::StrCat(digits.substr(0, 1), ".", digits.substr(1), "e", exponent);
}

// The decimal exponent of `value`: 10^e <= value < 10^(e+1). Requires: value > 0.
long DecimalExponent(const mpq_class& value) {
  const auto size = [](const mpz_class& n) {
    return static_cast<long>(mpz_sizeinbase(n.get_mpz_t(), 10));
  };
  long exponent = size(value.get_num()) - size(value.get_den()) - 2;
  while (TenTo(exponent + 1) <= value) ++exponent;
  return exponent;
}

}  // namespace

absl::StatusOr<mpq_class> ParseNumber(const std::string& text) {
  const bool is_hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  std::optional<Written> written;
  if (text.size() <= kMaxLength) {
    written = is_hex ? Split(text.substr(2), "pP", 16, kMaxBinaryExponent)
                     : Split(text, "eE", 10, kMaxDecimalExponent);
  }
  if (!written) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a number that is not negative, such as 0x1.8p+0 or 1.5, got \"",
                     text.substr(0, kMaxLength), "\""));
  }
  const auto& [digits, exponent] = *written;
  if (is_hex) return ToRational(digits.value, exponent - 4 * digits.after_point);
  return mpq_class(digits.value * TenTo(exponent - digits.after_point));
}

std::string DecimalRoundedDown(const mpq_class& value) {
  if (value == 0) return "0";
  const long exponent = DecimalExponent(value);
  const mpq_class scaled = value * TenTo(kSignificantDigits - 1 - exponent);
  return PlaceThePoint(scaled.get_num() / scaled.get_den(), exponent);
}

std::string DecimalRoundedUp(const mpq_class& value) {
  if (value == 0) return "0";
  const long exponent = DecimalExponent(value);
  const mpq_class scaled = value * TenTo(kSignificantDigits - 1 - exponent);
  mpz_class digits;
  mpz_cdiv_q(digits.get_mpz_t(), scaled.get_num_mpz_t(), scaled.get_den_mpz_t());
  return PlaceThePoint(digits, exponent);
}

std::string RootRoundedDown(const mpq_class& square) {
  if (square == 0) return "0";
  const long square_exponent = DecimalExponent(square);
  const long exponent = square_exponent >= 0 ? square_exponent / 2 : -((1 - square_exponent) / 2);
  const mpq_class scaled = square * TenTo(2 * (kSignificantDigits - 1 - exponent));
  return PlaceThePoint(sqrt(mpz_class(scaled.get_num() / scaled.get_den())), exponent);
}

std::string HexText(const Dyadic& value) {
  return absl::StrCat("0x", value.number.get_str(16), "p", value.exponent);
}

}  // namespace lipserve::verify
