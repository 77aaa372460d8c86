// SPDX-License-Identifier: Apache-2.0
// The fields with which a recipe sets Bjorck's orthogonalisation; dense layers and convolutions
// have them alike.
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

// What a random orthogonal kernel is multiplied by to start with; 0 takes 1. Errors as above.
absl::StatusOr<float> ReadInitialScale(double scale, const LayerPlace& place);

}  // namespace lipserve::trainer

#endif  // TRAINER_NETWORK_READ_BJORCK_H_
