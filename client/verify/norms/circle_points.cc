// SPDX-License-Identifier: Apache-2.0
// Errors are counted in units of 2^-160, of which the guarantee allows 2^40. Each division and each
// shift below rounds down and so errs by less than 1.
//  - Arctangent: a power of 1/q errs by less than 2, as dividing by q^2 shrinks what came before; a
//    term by less than 3; at most 40 terms are not 0, and what is left out is less than 1. So pi
//    errs by less than 20 * 121 < 2^12, an angle by less than 2^13 + 1, and, as their slopes are at
//    most 1, cosine and sine by as much.
//  - PointAt: a term x^j / j! errs by x / j times the error of the one before, and by less than
//    2 of its own. As x < 6.3, an error grows less than a hundredfold in any later term. Less than
//    100 terms are not 0, so each errs by less than 100 * 2 * 100 and all by less than 2^21; what
//    is left out is less than 2^2.
#include "client/verify/norms/circle_points.h"

namespace lipserve::verify {
namespace {

constexpr mp_bitcnt_t kBits = -kPointExponent;

// arctan(1 / q) = 1/q - 1/(3 q^3) + 1/(5 q^5) - ...
mpz_class Arctangent(unsigned long q) {
  mpz_class power = (mpz_class(1) << kBits) / q;
  mpz_class sum = power;
  for (unsigned long j = 1; power != 0; ++j) {
    power /= q * q;
    const mpz_class term = power / (2 * j + 1);
    sum += j % 2 == 0 ? term : mpz_class(-term);
  }
  return sum;
}

// Machin 1706.
mpz_class Pi() { return 16 * Arctangent(5) - 4 * Arctangent(239); }

// The power series of cosine and sine.
CirclePoint PointAt(const mpz_class& angle) {
  CirclePoint point{.cosine = 0, .sine = 0};
  mpz_class term = mpz_class(1) << kBits;  // angle^j / j!
  for (unsigned long j = 0; term != 0; ++j) {
    mpz_class& sum = j % 2 == 0 ? point.cosine : point.sine;
    if (j % 4 < 2) {
      sum += term;
    } else {
      sum -= term;
    }
    term = ((term * angle) >> kBits) / (j + 1);
  }
  return point;
}

}  // namespace

std::vector<CirclePoint> CirclePoints(std::size_t count) {
  const mpz_class full_turn = 2 * Pi();
  std::vector<CirclePoint> points;
  points.reserve(count);
  for (std::size_t k = 0; k < count; ++k) {
    points.push_back(PointAt(full_turn * mpz_class(k) / mpz_class(count)));
  }
  return points;
}

}  // namespace lipserve::verify
