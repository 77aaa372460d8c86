// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: that a factorisation completes is the proof.
#ifndef MODEL_CERTIFICATE_CHOLESKY_H_
#define MODEL_CERTIFICATE_CHOLESKY_H_

#include <cstddef>
#include <span>

namespace lipserve {

// Factorises the symmetric matrix B = R^T R in place, by the textbook recurrence in some order of
// summation; only the upper triangle is read and written.
//
// Guarantee: if true, |R^T R - B|_ij <= g sqrt(B_ii B_jj) with g = gamma_{p+2} / (1 - gamma_{p+2})
//            in float64, barring underflow (Higham 2002, Theorem 10.3 and (10.7)).
// Shapes:    b: [p, p], row-major.
// Errors:    false if a pivot is not positive or not finite; `b` is then garbage.
bool FactoriseCholesky(std::span<double> b, std::size_t p);

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_CHOLESKY_H_
