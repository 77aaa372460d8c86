// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: error bounds are proportional to these norms.
#ifndef MODEL_ARITHMETIC_VECTOR_NORM_H_
#define MODEL_ARITHMETIC_VECTOR_NORM_H_

#include <span>

#include "model/arithmetic/outward_rounding.h"

namespace lipserve {

// An upper bound of ||values||_2, at most a factor 1 + 2^-28 (and 2^-400) above it.
//
// Requires: at most 2^22 values.
// Errors:   +infinity if a value is not finite or a float64 value exceeds 2^500.
Upper NormBound(std::span<const float> values);
Upper NormBound(std::span<const double> values);

// An upper bound of ||values||_1. Same precision and errors.
Upper Norm1Bound(std::span<const float> values);

}  // namespace lipserve

#endif  // MODEL_ARITHMETIC_VECTOR_NORM_H_
