// SPDX-License-Identifier: Apache-2.0
// NOT trusted: the only file of lipserve-verify with floating point. What it returns is a guess
// that operator_norm_proof.cc checks in integers; a wrong guess can only fail that check.
#ifndef CLIENT_VERIFY_CHOLESKY_WITNESS_H_
#define CLIENT_VERIFY_CHOLESKY_WITNESS_H_

#include <optional>

#include "client/verify/lower_triangle.h"

namespace lipserve::verify {

// A lower triangle R with R R^T close to the symmetric matrix whose lower triangle is `b`: the
// float64 Cholesky factor, in integers of at most 61 bits.
//
// Errors: nullopt if b is not positive definite, as far as float64 can tell.
std::optional<LowerTriangle> CholeskyWitness(const LowerTriangle& b);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_CHOLESKY_WITNESS_H_
