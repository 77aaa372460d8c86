// SPDX-License-Identifier: Apache-2.0
// Trusted: every proof of an operator norm ends here. No floating point.
//
// Method: for any symmetric G, any number c and any matrix R, E = c I - G - R R^T gives
//     lambda_max(G) <= c + lambda_max(-E) <= c + ||E||_F,
// because R R^T has no negative eigenvalue. So no eigenvalue exceeds a limit >= c if
// ||E||_F^2 <= (limit - c)^2, which integers decide. It does not matter where R comes from;
// cholesky_witness.h guesses one. Source: Weyl's inequality, e.g. Horn and Johnson, Matrix
// Analysis, Theorem 4.3.1.
#ifndef CLIENT_VERIFY_NORMS_EIGENVALUE_PROOF_H_
#define CLIENT_VERIFY_NORMS_EIGENVALUE_PROOF_H_

#include <cstddef>

#include "client/verify/exact/exact_number.h"
#include "client/verify/norms/cholesky_witness.h"
#include "client/verify/norms/gram_matrix.h"

namespace lipserve::verify {

// The longest row of a matrix that can be examined.
inline constexpr std::size_t kMaxRow = std::size_t{1} << 16;

// The verdict on a claimed upper bound of an eigenvalue or of a norm.
enum class BoundVerdict {
  kProven,
  kFalse,         // a number on the diagonal of the matrix exceeds it
  kNotConfirmed,  // it may be false, or true but too tight: within about 1e-12 of the norm
  kTooLarge       // examining it would take more than minutes, or 2 GiB
};

// Looks for a proof that no eigenvalue of G exceeds `limit`.
//
// Guarantee: kProven only if that is so; kFalse only if not.
// Requires:  rows of at most kMaxRow numbers, from the first to the diagonal.
BoundVerdict ExamineEigenvalues(const GramMatrix& gram, const Dyadic& limit);

// Whether c and R prove that no eigenvalue of G exceeds `limit`.
//
// Guarantee: true only if that is so, whatever c and R are.
bool WitnessProves(const GramMatrix& gram, const Dyadic& limit, const Dyadic& c,
                   const Witness& witness);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_NORMS_EIGENVALUE_PROOF_H_
