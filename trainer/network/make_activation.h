// SPDX-License-Identifier: Apache-2.0
// Builds differentiable layers from a recipe's activations. make_layer.h builds group_sort and
// full_sort.
#ifndef TRAINER_NETWORK_MAKE_ACTIVATION_H_
#define TRAINER_NETWORK_MAKE_ACTIVATION_H_

#include <memory>

#include "absl/status/statusor.h"
#include "lipserve/v1/layer.pb.h"
#include "trainer/layers/layer.h"
#include "trainer/network/layer_place.h"

namespace lipserve::trainer {

// Errors of all: InvalidArgument naming the layer and field, what was expected and found.

absl::StatusOr<std::unique_ptr<Layer>> MakeMaxMin(const LayerPlace& place);

absl::StatusOr<std::unique_ptr<Layer>> MakePRelu(const v1::PReluSpec& spec,
                                                 const LayerPlace& place);

absl::StatusOr<std::unique_ptr<Layer>> MakeHouseholder(const v1::HouseholderSpec& spec,
                                                       const LayerPlace& place);
absl::StatusOr<std::unique_ptr<Layer>> MakeSoftHuber(const v1::SoftHuberSpec& spec,
                                                     const LayerPlace& place);

}  // namespace lipserve::trainer

#endif  // TRAINER_NETWORK_MAKE_ACTIVATION_H_
