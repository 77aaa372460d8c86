// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it computes the numbers that decide a class where float64 cannot.
//
// Pools in exact integers, and square roots in fixed point (exact_network.h).
#ifndef MODEL_EXECUTION_EXACT_POOLING_H_
#define MODEL_EXECUTION_EXACT_POOLING_H_

#include "model/execution/exact_integers.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// Of images of shape `input`. Requires: a layer of a network that CheckNetwork accepts.
ExactLayer ToExact(const AveragePoolLayer& layer, const SampleShape& input);
ExactLayer ToExact(const MaxPoolLayer& layer, const SampleShape& input);
// Roots are rounded down to multiples of 2^-2048, or of a larger power of two where the run has a
// precision.
ExactLayer ToExact(const L2NormPoolLayer& layer, const SampleShape& input);

}  // namespace lipserve

#endif  // MODEL_EXECUTION_EXACT_POOLING_H_
