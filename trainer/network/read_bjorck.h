// SPDX-License-Identifier: Apache-2.0
// Reads a recipe's fields for Bjorck's orthogonalisation. Dense layers and convolutions have the
// same fields.
#ifndef TRAINER_NETWORK_READ_BJORCK_H_
#define TRAINER_NETWORK_READ_BJORCK_H_

#include "absl/status/statusor.h"
#include "lipserve/v1/layer.pb.h"
#include "trainer/constraints/bjorck_map.h"
#include "trainer/network/layer_place.h"

namespace lipserve::trainer {

// Fills in the defaults of fields that are 0.
//
// Errors: InvalidArgument naming the place, the field, what was expected and found.
absl::StatusOr<BjorckMapOptions> ReadBjorck(const v1::SpectralDenseSpec& spec,
                                            const LayerPlace& place);
absl::StatusOr<BjorckMapOptions> ReadBjorck(const v1::SpectralConvolutionSpec& spec,
                                            const LayerPlace& place);

// The factor on the initial random orthogonal kernel; 0 stands for 1. Errors as above.
absl::StatusOr<float> ReadInitialScale(double scale, const LayerPlace& place);

}  // namespace lipserve::trainer

#endif  // TRAINER_NETWORK_READ_BJORCK_H_
