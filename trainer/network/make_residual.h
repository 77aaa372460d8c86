// SPDX-License-Identifier: Apache-2.0
// Builds differentiable layers from a recipe's residual layers (make_layer.h).
#ifndef TRAINER_NETWORK_MAKE_RESIDUAL_H_
#define TRAINER_NETWORK_MAKE_RESIDUAL_H_

#include <memory>
#include <random>

#include "absl/status/statusor.h"
#include "lipserve/v1/layer.pb.h"
#include "model/network/frozen_network.h"
#include "trainer/layers/convex_potential.h"
#include "trainer/layers/layer.h"
#include "trainer/network/layer_place.h"

namespace lipserve::trainer {

// Each: Errors: InvalidArgument naming the place, the field, what was expected and found.

absl::StatusOr<std::unique_ptr<Layer>> MakePotential(ConvexPotential::Scaling scaling,
                                                     const v1::SllDenseSpec& spec,
                                                     const LayerPlace& place,
                                                     std::mt19937_64& random);
absl::StatusOr<std::unique_ptr<Layer>> MakePotential(ConvexPotential::Scaling scaling,
                                                     const v1::CplDenseSpec& spec,
                                                     const LayerPlace& place,
                                                     std::mt19937_64& random);
absl::StatusOr<std::unique_ptr<Layer>> MakePotential(ConvexPotential::Scaling scaling,
                                                     const v1::ConvexPotentialConvolutionSpec& spec,
                                                     const LayerPlace& place,
                                                     std::mt19937_64& random);

absl::StatusOr<std::unique_ptr<Layer>> MakeLinearResidual(const v1::LinearResidualDenseSpec& spec,
                                                          const LayerPlace& place,
                                                          std::mt19937_64& random);

// `place`: of the constraint.
absl::StatusOr<std::unique_ptr<Layer>> MakeLinearResidual(const v1::LinearResidualSpec& spec,
                                                          const ConvolutionLayer& geometry,
                                                          bool use_bias, const LayerPlace& place,
                                                          std::mt19937_64& random);

}  // namespace lipserve::trainer

#endif  // TRAINER_NETWORK_MAKE_RESIDUAL_H_
