// SPDX-License-Identifier: Apache-2.0
// Whether a candidate lies in the ball that a certificate speaks of. The attack stands or falls
// with it: a candidate a hair outside is no violation, one on the edge is.
#ifndef TESTS_SOUNDNESS_ATTACKS_EXACT_BALL_H_
#define TESTS_SOUNDNESS_ATTACKS_EXACT_BALL_H_

#include <cstdint>
#include <span>

namespace lipserve {

// Whether the real number ||a - b||_2 is at most `radius`. Float64 with a bound of its error
// answers unless the two agree to about 1e-13; then quadruple precision does.
//
// Shapes:    a and b have the same size, at most 2^22.
// Guarantee: true is never wrong; false may be where the two agree to 2^-90 relative.
bool IsInBall(std::span<const float> a, std::span<const float> b, double radius);

// The same for pixels, in integers: never wrong.
bool IsInBall(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b, double radius);

// ||a - b||_2, to about 1e-13 relative.
double DistanceEstimate(std::span<const float> a, std::span<const float> b);
double DistanceEstimate(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b);

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_ATTACKS_EXACT_BALL_H_
