// SPDX-License-Identifier: Apache-2.0
// Trusted: every number that lipserve-verify compares is made here, as an integer or a fraction of
// integers (GMP). No floating point.
#ifndef CLIENT_VERIFY_EXACT_EXACT_NUMBER_H_
#define CLIENT_VERIFY_EXACT_EXACT_NUMBER_H_

#include <gmpxx.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lipserve::verify {

// number * 2^exponent.
struct Dyadic {
  mpz_class number;
  long exponent = 0;
};

// numbers[k] * 2^exponent.
struct ExactVector {
  std::vector<mpz_class> numbers;
  long exponent = 0;
};

// The value as a fraction.
mpq_class ToRational(const mpz_class& number, long exponent);
mpq_class ToRational(const Dyadic& value);

// The integer n with n * 2^to == number * 2^from. Requires: from >= to.
mpz_class AtExponent(const mpz_class& number, long from, long to);

// What an array of binary32 numbers may hold.
enum class Binary32Rule {
  kFinite,        // anything but NaN and infinity
  kZeroOrNormal,  // and no subnormal number
};

// The value of an IEEE 754 binary32 number.
//
// Errors: InvalidArgument if it breaks the rule.
absl::StatusOr<Dyadic> FromBinary32(std::uint32_t bits, Binary32Rule rule);

// The values of little-endian IEEE 754 binary32 numbers.
//
// Errors: InvalidArgument, naming the position, if the size is no multiple of four or a number
//         breaks the rule.
absl::StatusOr<ExactVector> FromBinary32(const std::string& bytes, Binary32Rule rule);

// The value of an IEEE 754 binary64 number.
//
// Errors: InvalidArgument for NaN and infinity.
absl::StatusOr<Dyadic> FromBinary64(std::uint64_t bits);

// The binary32 number nearest to `value`; of two equally near ones, the one whose last bit is 0.
//
// Requires: value is 0, or 2^-126 <= value <= 2^127.
Dyadic NearestBinary32(const mpq_class& value);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_EXACT_EXACT_NUMBER_H_
