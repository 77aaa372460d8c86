// SPDX-License-Identifier: Apache-2.0
// Builds a differentiable block of layers from a recipe's (make_layer.h).
#ifndef TRAINER_NETWORK_MAKE_BLOCK_H_
#define TRAINER_NETWORK_MAKE_BLOCK_H_

#include <memory>
#include <random>

#include "absl/status/statusor.h"
#include "lipserve/v1/layer.pb.h"
#include "trainer/layers/layer.h"
#include "trainer/network/layer_place.h"

namespace lipserve::trainer {

// Errors: InvalidArgument naming the place, the field, what was expected and found. Among them: a
//         chain whose norms could not be proven.
absl::StatusOr<std::unique_ptr<Layer>> MakeResidualBlock(const v1::ResidualSpec& spec,
                                                         const LayerPlace& place,
                                                         std::mt19937_64& random);

}  // namespace lipserve::trainer

#endif  // TRAINER_NETWORK_MAKE_BLOCK_H_
