// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/roots_of_unity.h"

#include <gmpxx.h>

#include <cmath>

namespace lipserve {
namespace {

// Numbers are integers times 2^-kBits. An angle below 2 pi is off by less than 2^4 units; a term
// x^j / j! of its series by less than (j + 1) 2^4 * 2 pi^j / j! units and one for its own rounding,
// so that a sum of some 70 terms is off by less than 2^20 units.
constexpr mp_bitcnt_t kBits = 192;

// 2 pi * 2^kBits, rounded down.
mpz_class TwoPi() {
  // pi in base 16, 3.243F..., to 224 bits after the point.
  const mpz_class pi("3243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98", 16);
  constexpr mp_bitcnt_t kPiBits = 224;
  return pi >> (kPiBits - kBits - 1);
}

double ToDouble(const mpz_class& fixed) {
  // get_d rounds toward zero, by less than 2^-53 for numbers below 1.
  return std::ldexp(fixed.get_d(), -static_cast<int>(kBits));
}

std::complex<double> PointAtAngle(const mpz_class& angle) {
  mpz_class cosine;
  mpz_class sine;
  mpz_class term = mpz_class(1) << kBits;  // angle^j / j!
  for (unsigned long j = 0; term != 0; ++j) {
    mpz_class& part = j % 2 == 0 ? cosine : sine;
    if (j % 4 < 2) {
      part += term;
    } else {
      part -= term;
    }
    term = ((term * angle) >> kBits) / (j + 1);
  }
  return {ToDouble(cosine), ToDouble(sine)};
}

}  // namespace

std::vector<std::complex<double>> RootsOfUnity(std::size_t n) {
  const mpz_class two_pi = TwoPi();
  std::vector<std::complex<double>> roots(n);
  for (std::size_t k = 0; k < n; ++k) {
    roots[k] = PointAtAngle(two_pi * static_cast<unsigned long>(k) / static_cast<unsigned long>(n));
  }
  return roots;
}

}  // namespace lipserve
