// SPDX-License-Identifier: Apache-2.0
// The orthogonal dense layers: one message of a recipe, several ways to keep a matrix orthogonal.
#ifndef TRAINER_NETWORK_MAKE_SPECTRAL_DENSE_H_
#define TRAINER_NETWORK_MAKE_SPECTRAL_DENSE_H_

#include <memory>
#include <random>

#include "absl/status/statusor.h"
#include "lipserve/v1/layer.pb.h"
#include "trainer/layers/layer.h"
#include "trainer/network/layer_place.h"

namespace lipserve::trainer {

// Requires: a vector as input, and a number of units that make_layer.cc has checked.
// Errors:   InvalidArgument naming the place, the field, what was expected and found; a field that
//           the method does not use is an error too.
absl::StatusOr<std::unique_ptr<Layer>> MakeSpectralDense(const v1::SpectralDenseSpec& spec,
                                                         const LayerPlace& place,
                                                         std::mt19937_64& random);

}  // namespace lipserve::trainer

#endif  // TRAINER_NETWORK_MAKE_SPECTRAL_DENSE_H_
