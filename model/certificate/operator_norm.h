// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: radii are divided by these norms.
//
// Proven upper bounds of ||W||_2, the largest singular value of a float32 matrix.
//
// Method: G = A A^T in float64, A = W or W^T with p = min(m, n) rows; the products are exact. If a
// Cholesky factorisation of c I - G runs to completion, then lambda_max(G) <= c + a proven slack.
// A second proof, by Gram iteration, must agree when a bound is made.
// Source: Higham 2002, Theorem 10.3; Rump 2006 (BIT 46). Proof: certificate/README.md, Lemma 3.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(const double bound, BoundOperatorNorm(w));  // >= ||w||_2
#ifndef MODEL_CERTIFICATE_OPERATOR_NORM_H_
#define MODEL_CERTIFICATE_OPERATOR_NORM_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/certificate/norm_proof.h"
#include "model/network/matrix_view.h"

namespace lipserve {

// The smaller of the bounds that factorisations and Gram iteration prove, to about 1e-10 relative.
// Costs some ten factorisations and up to 34 squarings of a p x p matrix.
//
// Guarantee: result >= (1 + 2^-36) ||W||_2, and ProveOperatorNormAtMost(w, result) is OK.
// Requires:  every weight is zero or normal; dimensions of at most 2^22.
// Errors:    InvalidArgument if a proof would cost more than `limits`; Internal if the two methods
//            differ by more than 1e-6 relative, or the bound from the estimate of the norm from
//            below, which would mean a bug or a hardware fault.
absl::StatusOr<double> BoundOperatorNorm(ConstMatrixView w, const ProofLimits& limits = {});

// Proves ||W||_2 <= claim by one factorisation.
//
// Requires:  every weight is zero or normal; dimensions of at most 2^22.
// Errors:    InvalidArgument if that does not prove it, or would cost more than `limits`; Cancelled
//            once `limits.stop` says so.
absl::Status ProveOperatorNormAtMost(ConstMatrixView w, double claim,
                                     const ProofLimits& limits = {});

// The smaller of two proven bounds of the same norm.
//
// Errors: Internal if they differ by more than 1e-6 relative.
absl::StatusOr<double> SmallerOfAgreeingBounds(double by_factorisation, double by_gram_iteration);

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_OPERATOR_NORM_H_
