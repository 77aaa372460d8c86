// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: radii are divided by these norms.
//
// Proven upper bounds of ||W||_2, the largest singular value of a float32 matrix.
//
// Method: G = A A^T in float64, A = W or W^T with p = min(m, n) rows; the products are exact. If a
// Cholesky factorisation of c I - G runs to completion, then lambda_max(G) <= c + a proven slack.
// Source: Higham 2002, Theorem 10.3; Rump 2006 (BIT 46). Proof: certificate/README.md.
#ifndef MODEL_CERTIFICATE_OPERATOR_NORM_H_
#define MODEL_CERTIFICATE_OPERATOR_NORM_H_

#include "absl/status/statusor.h"
#include "model/network/matrix_view.h"

namespace lipserve {

// The smallest bound that the method proves, to about 1e-10 relative. Costs 20 to 40 Cholesky
// factorisations.
//
// Guarantee: result >= ||W||_2, and ProveOperatorNormAtMost(w, result).
// Requires:  every weight is zero or normal; dimensions of at most 2^22.
// Errors:    Internal if the result is not within 1e-3 relative above a power iteration's lower
//            estimate, which would mean a bug or a hardware fault.
absl::StatusOr<double> BoundOperatorNorm(ConstMatrixView w);

// Whether one Cholesky factorisation proves ||W||_2 <= claim. False proves nothing.
//
// Requires:  every weight is zero or normal; dimensions of at most 2^22.
bool ProveOperatorNormAtMost(ConstMatrixView w, double claim);

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_OPERATOR_NORM_H_
