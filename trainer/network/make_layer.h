// SPDX-License-Identifier: Apache-2.0
// Builds a differentiable layer from a recipe's.
#ifndef TRAINER_NETWORK_MAKE_LAYER_H_
#define TRAINER_NETWORK_MAKE_LAYER_H_

#include <cstddef>
#include <memory>
#include <random>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"
#include "model/network/frozen_network.h"
#include "trainer/layers/layer.h"

namespace lipserve::trainer {

// Builds layer number `index` of a recipe (from 0) for inputs of shape `input_shape`, fills in
// the defaults of fields that are 0, and initialises it from `random`.
//
// Errors: InvalidArgument naming the layer and field, what was expected and found.
absl::StatusOr<std::unique_ptr<Layer>> MakeLayer(const v1::LayerSpec& spec, std::size_t index,
                                                 SampleShape input_shape, std::mt19937_64& random);

}  // namespace lipserve::trainer

#endif  // TRAINER_NETWORK_MAKE_LAYER_H_
