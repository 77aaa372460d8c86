// SPDX-License-Identifier: Apache-2.0
// Trusted: reads radii and margins as people and files write them, exactly. No floating point.
#ifndef CLIENT_VERIFY_EXACT_NUMBER_TEXT_H_
#define CLIENT_VERIFY_EXACT_NUMBER_TEXT_H_

#include <gmpxx.h>

#include <string>

#include "absl/status/statusor.h"
#include "client/verify/exact/exact_number.h"

namespace lipserve::verify {

// The exact value of a number that is not negative: "0x1.8p+0" (C's hexadecimal floating point),
// "1.5", "15e-1".
//
// Errors: InvalidArgument for anything else, signs, "nan" and "inf" included; for more than 100
//         characters; and for exponents beyond those of binary64.
absl::StatusOr<mpq_class> ParseNumber(const std::string& text);

// `value` in 15 significant digits, rounded toward zero: "1.25", "1.00000000000000e-7".
//
// Requires: value >= 0.
std::string DecimalRoundedDown(const mpq_class& value);

// `value` in 15 significant digits, rounded up.
//
// Requires: value >= 0.
std::string DecimalRoundedUp(const mpq_class& value);

// The square root of `square` in 15 significant digits, rounded toward zero.
//
// Requires: square >= 0.
std::string RootRoundedDown(const mpq_class& square);

// `value` exactly, in a form that C reads as hexadecimal floating point: "0x3p-1".
//
// Requires: value >= 0.
std::string HexText(const Dyadic& value);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_EXACT_NUMBER_TEXT_H_
