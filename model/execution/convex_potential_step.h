// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it computes numbers that classes and margins depend on.
//
// y = x - T^T max(T x + b, 0), built from the steps for T x + b and for T^T that `linear` makes.
#ifndef MODEL_EXECUTION_CONVEX_POTENTIAL_STEP_H_
#define MODEL_EXECUTION_CONVEX_POTENTIAL_STEP_H_

#include <memory>

#include "model/execution/layer_step.h"
#include "model/execution/network_steps.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// Requires: a layer of a network that CheckNetwork accepts.
template <typename Number>
std::unique_ptr<const LayerStep<Number>> ConvexPotentialStepOf(const ConvexPotentialLayer& layer,
                                                               const LinearSteps<Number>& linear);

}  // namespace lipserve

#endif  // MODEL_EXECUTION_CONVEX_POTENTIAL_STEP_H_
