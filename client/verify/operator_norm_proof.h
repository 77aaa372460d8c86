// SPDX-License-Identifier: Apache-2.0
// Trusted: radii are divided by the norms that are proven here. No floating point.
//
// Method: A = W or W^T with the fewer rows, G = A A^T, all in integers. For any number c and any
// matrix R, E = c I - G - R R^T gives
//     lambda_max(G) <= c + lambda_max(-E) <= c + ||E||_F,
// because R R^T has no negative eigenvalue. So ||W||_2 <= L if c + ||E||_F <= L^2, which integers
// decide: ||E||_F^2 <= (L^2 - c)^2. It does not matter where R comes from; cholesky_witness.h
// guesses one. Source: Weyl's inequality, e.g. Horn and Johnson, Matrix Analysis, Theorem 4.3.1.
#ifndef CLIENT_VERIFY_OPERATOR_NORM_PROOF_H_
#define CLIENT_VERIFY_OPERATOR_NORM_PROOF_H_

#include "client/verify/exact_number.h"
#include "client/verify/lower_triangle.h"
#include "client/verify/model_file.h"

namespace lipserve::verify {

// What is known of a claim ||W||_2 <= L.
enum class NormVerdict {
  kProven,
  kFalse,        // a row or column of W is longer than L
  kNotConfirmed  // it may be false, or true but within about 1e-12 of the norm
};

// Examines the claim that a dense layer makes of its weights.
//
// Guarantee: kProven only if ||W||_2 <= dense.claimed_norm; kFalse only if not.
// Requires:  dense.claimed_norm >= 0.
NormVerdict ExamineNormClaim(const Dense& dense);

// Whether c and the lower triangle R prove that no eigenvalue of the symmetric matrix G, whose
// lower triangle is `gram`, exceeds `limit`.
//
// Guarantee: true only if that is so, whatever c and R are.
// Requires:  gram and r are of one order.
bool WitnessProves(const LowerTriangle& gram, const Dyadic& limit, const Dyadic& c,
                   const LowerTriangle& r);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_OPERATOR_NORM_PROOF_H_
