// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: BoundOperatorNorm may return its bound.
//
// Upper bounds of the largest eigenvalue of a symmetric matrix by repeated squaring: the second
// method for dense layers, which shares no theory with the factorisation.
//
// Source: Delattre, Barthelemy, Araujo, Allauzen 2023, arXiv:2305.16173, with every rounding
//         bounded. Proof: certificate/README.md, Lemma 3.
#ifndef MODEL_CERTIFICATE_GRAM_ITERATION_H_
#define MODEL_CERTIFICATE_GRAM_ITERATION_H_

#include <cstddef>
#include <span>

#include "model/arithmetic/outward_rounding.h"

namespace lipserve {

// With all eigenvalues equal, K squarings leave a factor exp(ln(p) / 2^(K+1)): 2e-10 for K = 34,
// half of it in the norm.
inline constexpr int kMaxGramIterations = 34;

// Squares until the bound is at most `close_enough`, but no more than kMaxGramIterations times.
//
// Guarantee: result >= max |eigenvalue|.
// Shapes:    matrix: [p, p], symmetric to the bit.
// Requires:  p <= 2^22.
Upper BoundByGramIteration(std::span<const double> matrix, std::size_t p, double close_enough);

}  // namespace lipserve

#endif  // MODEL_CERTIFICATE_GRAM_ITERATION_H_
