// SPDX-License-Identifier: Apache-2.0
#include "client/verify/exact/exact_number.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace lipserve::verify {
namespace {

constexpr unsigned kFractionBits32 = 23;
constexpr unsigned kFractionBits64 = 52;
// The exponent of the last bit of subnormal numbers, and of those with a biased exponent of 1.
constexpr long kLastBit32 = -149;
constexpr long kLastBit64 = -1074;

// The four bytes at `offset`, least significant first.
std::uint32_t LittleEndian32(const std::string& bytes, std::size_t offset) {
  std::uint32_t bits = 0;
  for (unsigned k = 0; k < 4; ++k) {
    bits |= std::uint32_t{static_cast<unsigned char>(bytes[offset + k])} << (8 * k);
  }
  return bits;
}

struct Binary32Fields {
  bool negative;
  std::uint32_t biased_exponent;  // 0 for zero and subnormal numbers, 255 for NaN and infinity
  std::uint32_t fraction;
};

Binary32Fields SplitBinary32(std::uint32_t bits) {
  return {.negative = (bits >> 31) != 0,
          .biased_exponent = (bits >> kFractionBits32) & 0xffU,
          .fraction = bits & ((1U << kFractionBits32) - 1U)};
}

Dyadic ValueOf(const Binary32Fields& fields) {
  const bool is_normal = fields.biased_exponent != 0;
  mpz_class number = is_normal ? fields.fraction | (1U << kFractionBits32) : fields.fraction;
  if (fields.negative) number = -number;
  return {.number = std::move(number),
          .exponent = kLastBit32 + (is_normal ? static_cast<long>(fields.biased_exponent) - 1 : 0)};
}

}  // namespace

mpq_class ToRational(const mpz_class& number, long exponent) {
  mpq_class value(number);
  if (exponent >= 0) {
    mpq_mul_2exp(value.get_mpq_t(), value.get_mpq_t(), static_cast<unsigned long>(exponent));
  } else {
    mpq_div_2exp(value.get_mpq_t(), value.get_mpq_t(), static_cast<unsigned long>(-exponent));
  }
  return value;
}

mpq_class ToRational(const Dyadic& value) { return ToRational(value.number, value.exponent); }

mpz_class AtExponent(const mpz_class& number, long from, long to) {
  assert(from >= to);
  mpz_class result;
  mpz_mul_2exp(result.get_mpz_t(), number.get_mpz_t(), static_cast<unsigned long>(from - to));
  return result;
}

absl::StatusOr<Dyadic> FromBinary32(std::uint32_t bits, Binary32Rule rule) {
  const Binary32Fields fields = SplitBinary32(bits);
  if (fields.biased_exponent == 0xff) {
    return absl::InvalidArgumentError("expected a finite number, got NaN or infinity");
  }
  const bool is_subnormal = fields.biased_exponent == 0 && fields.fraction != 0;
  if (is_subnormal && rule == Binary32Rule::kZeroOrNormal) {
    return absl::InvalidArgumentError("expected zero or a normal number, got a subnormal one");
  }
  return ValueOf(fields);
}

absl::StatusOr<ExactVector> FromBinary32(const std::string& bytes, Binary32Rule rule) {
  if (bytes.size() % 4 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a multiple of 4 bytes, got ", bytes.size()));
  }
  const std::size_t size = bytes.size() / 4;
  long exponent = std::numeric_limits<long>::max();
  for (std::size_t k = 0; k < size; ++k) {
    const absl::StatusOr<Dyadic> value = FromBinary32(LittleEndian32(bytes, 4 * k), rule);
    if (!value.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("number ", k, ": ", std::string(value.status().message())));
    }
    if (value->number != 0) exponent = std::min(exponent, value->exponent);
  }
  ExactVector result;
  result.exponent = exponent == std::numeric_limits<long>::max() ? 0 : exponent;
  result.numbers.resize(size);
  for (std::size_t k = 0; k < size; ++k) {
    const Dyadic value = ValueOf(SplitBinary32(LittleEndian32(bytes, 4 * k)));
    if (value.number == 0) continue;
    result.numbers[k] = AtExponent(value.number, value.exponent, result.exponent);
  }
  return result;
}

absl::StatusOr<Dyadic> FromBinary64(std::uint64_t bits) {
  const std::uint64_t biased_exponent = (bits >> kFractionBits64) & 0x7ffU;
  std::uint64_t fraction = bits & ((std::uint64_t{1} << kFractionBits64) - 1U);
  if (biased_exponent == 0x7ff) {
    return absl::InvalidArgumentError("expected a finite number, got NaN or infinity");
  }
  if (biased_exponent != 0) fraction |= std::uint64_t{1} << kFractionBits64;
  Dyadic value{
      .number = mpz_class(fraction),
      .exponent = kLastBit64 + (biased_exponent != 0 ? static_cast<long>(biased_exponent) - 1 : 0)};
  if ((bits >> 63) != 0) value.number = -value.number;
  return value;
}

Dyadic NearestBinary32(const mpq_class& value) {
  assert(value >= 0);
  if (value == 0) return {};
  const auto bits = [](const mpz_class& n) {
    return static_cast<long>(mpz_sizeinbase(n.get_mpz_t(), 2));
  };
  // Of the right size or one too small: 2^23 < value / 2^exponent < 2^25.
  long exponent =
      bits(value.get_num()) - bits(value.get_den()) - 1 - static_cast<long>(kFractionBits32);
  const mpq_class limit = ToRational(mpz_class(1), kFractionBits32 + 1);
  mpq_class scaled = value * ToRational(mpz_class(1), -exponent);
  if (scaled >= limit) {
    scaled /= 2;
    ++exponent;
  }
  assert(exponent >= kLastBit32 && exponent + static_cast<long>(kFractionBits32) <= 127);
  mpz_class nearest = scaled.get_num() / scaled.get_den();  // rounds down
  const mpq_class rest = scaled - nearest;
  const mpq_class half(1, 2);
  if (rest > half || (rest == half && mpz_odd_p(nearest.get_mpz_t()) != 0)) ++nearest;
  return {.number = std::move(nearest), .exponent = exponent};
}

}  // namespace lipserve::verify
