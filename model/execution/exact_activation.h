// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it computes the numbers that decide a class where float64 cannot.
//
// Sorts and activations in exact integers.
#ifndef MODEL_EXECUTION_EXACT_ACTIVATION_H_
#define MODEL_EXECUTION_EXACT_ACTIVATION_H_

#include "model/execution/exact_integers.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// Of images of shape `input`. Requires: a layer of a network that CheckNetwork accepts.
ExactLayer ToExact(const GroupSortLayer& layer, const SampleShape& input);
ExactLayer ToExact(const AbsLayer& layer, const SampleShape& input);
ExactLayer ToExact(const MaxMinLayer& layer, const SampleShape& input);
ExactLayer ToExact(const ConcatenatedReluLayer& layer, const SampleShape& input);
ExactLayer ToExact(const PReluLayer& layer, const SampleShape& input);
ExactLayer ToExact(const HouseholderLayer& layer, const SampleShape& input);
ExactLayer ToExact(const ClipLayer& layer, const SampleShape& input);

}  // namespace lipserve

#endif  // MODEL_EXECUTION_EXACT_ACTIVATION_H_
