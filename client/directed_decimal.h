// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: a proven number must stay true when people read it. printf rounds
// to nearest, so "%.2f" can print a radius that was never proven.
#ifndef CLIENT_DIRECTED_DECIMAL_H_
#define CLIENT_DIRECTED_DECIMAL_H_

#include <string>

namespace lipserve {

// `value` with `decimals` digits after the point, rounded toward zero: 1.999 -> "1.99".
//
// Guarantee: the printed number is at most `value`, and less than 10^-decimals below it.
// Requires:  value >= 0 and not NaN; infinity prints as "inf"; 0 <= decimals <= 60.
std::string DecimalRoundedDown(double value, int decimals);

// `value` with `decimals` digits after the point, rounded up: 1.0000001 -> "1.01".
//
// Guarantee: the printed number is at least `value`, and less than 10^-decimals above it.
// Requires:  as DecimalRoundedDown.
std::string DecimalRoundedUp(double value, int decimals);

// `value` in 12 significant digits or fewer, rounded toward zero. As a double it prints in
// JSON as the same digits, so neither the text nor a program that parses it exceeds `value`.
//
// Guarantee: the result's shortest decimal is at most `value`; the relative loss is below 1e-11.
//            Values below 1e-300 give 0.
// Requires:  value >= 0, finite.
double TwelveDigitsRoundedDown(double value);

// As TwelveDigitsRoundedDown, but at least `value`; positive values below 1e-300 give 1e-300.
double TwelveDigitsRoundedUp(double value);

// `value` exactly, as C's hexadecimal floating point: 1.5 -> "0x1.8p+0".
std::string HexFloat(double value);

}  // namespace lipserve

#endif  // CLIENT_DIRECTED_DECIMAL_H_
