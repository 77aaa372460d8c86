// SPDX-License-Identifier: Apache-2.0
// Trusted: radii are divided by the norms that are proven here. No floating point.
//
// ||W||_2 <= L if no eigenvalue of W W^T or of W^T W exceeds L^2 (eigenvalue_proof.h). For a
// convolution, W is the matrix T from images to images, and three proofs are tried:
//  - The flat kernel K, [output channels, fan-in], applied to all windows. If no position is
//    read by more than m pairs of an output and a tap, the squared norms of all windows sum up
//    to at most m ||x||^2, so ||T||^2 <= m ||K||^2. Exact where windows do not overlap, else far
//    from it.
//  - On circles: cheap at any size, exact for circular padding (circular_convolution.h).
//  - On the image itself: exact for every padding (convolution_gram.h).
#ifndef CLIENT_VERIFY_NORMS_OPERATOR_NORM_PROOF_H_
#define CLIENT_VERIFY_NORMS_OPERATOR_NORM_PROOF_H_

#include "client/verify/model/layer.h"
#include "client/verify/norms/eigenvalue_proof.h"

namespace lipserve::verify {

// Examines the claim that a layer makes of its operator norm.
//
// Guarantee: kProven only if the norm is at most the claim; kFalse only if not.
// Requires:  ClaimedNorm(layer) is there and not negative.
BoundVerdict ExamineNormClaim(const Layer& layer);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_NORMS_OPERATOR_NORM_PROOF_H_
