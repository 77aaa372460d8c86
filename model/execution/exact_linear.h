// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it computes the numbers that decide a class where float64 cannot.
//
// Dense layers and convolutions in exact integers.
#ifndef MODEL_EXECUTION_EXACT_LINEAR_H_
#define MODEL_EXECUTION_EXACT_LINEAR_H_

#include "model/execution/exact_integers.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// Requires: a layer of a network that CheckNetwork accepts. Its weights must outlive the result,
//           which keeps no copy of them.
ExactLayer ToExact(const DenseLayer& layer);
ExactLayer ToExact(const ConvolutionLayer& layer);

}  // namespace lipserve

#endif  // MODEL_EXECUTION_EXACT_LINEAR_H_
