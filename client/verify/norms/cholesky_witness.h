// SPDX-License-Identifier: Apache-2.0
// NOT trusted: the only file of lipserve-verify with floating point. What it returns is a guess
// that operator_norm_proof.cc checks in integers; a wrong guess can only fail that check.
#ifndef CLIENT_VERIFY_NORMS_CHOLESKY_WITNESS_H_
#define CLIENT_VERIFY_NORMS_CHOLESKY_WITNESS_H_

#include <cstdint>
#include <optional>

#include "client/verify/exact/exact_number.h"
#include "client/verify/norms/envelope.h"
#include "client/verify/norms/gram_matrix.h"

namespace lipserve::verify {

// The lower triangle of a matrix R; entry (i, j) is r.row(i)[j - r.first(i)] * 2^exponent.
struct Witness {
  Envelope<std::int64_t> r;
  long exponent = 0;
};

// R with R R^T close to B = c I - G: the float64 Cholesky factor, in integers of about 54 bits.
//
// Errors: nullopt if B is not positive definite, as far as float64 can tell.
std::optional<Witness> CholeskyWitness(const ShiftedGram& b, const Dyadic& c);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_NORMS_CHOLESKY_WITNESS_H_
