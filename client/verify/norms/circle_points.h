// SPDX-License-Identifier: Apache-2.0
// Trusted: cosines and sines as integers with a proven error. No floating point.
#ifndef CLIENT_VERIFY_NORMS_CIRCLE_POINTS_H_
#define CLIENT_VERIFY_NORMS_CIRCLE_POINTS_H_

#include <gmpxx.h>

#include <cstddef>
#include <vector>

namespace lipserve::verify {

// Points are integers times 2 to this exponent,
inline constexpr long kPointExponent = -160;
// and each coordinate is within 2^kPointErrorExponent of the true one.
inline constexpr long kPointErrorExponent = -120;

// A point of the unit circle.
struct CirclePoint {
  mpz_class cosine;
  mpz_class sine;
};

// cos(2 pi k / count) and sin(2 pi k / count) for k < count.
//
// Guarantee: |coordinate * 2^kPointExponent - true value| <= 2^kPointErrorExponent.
// Requires:  1 <= count <= 2^22.
std::vector<CirclePoint> CirclePoints(std::size_t count);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_NORMS_CIRCLE_POINTS_H_
