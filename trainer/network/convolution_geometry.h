// SPDX-License-Identifier: Apache-2.0
// The sizes of a recipe's convolution, defaults filled in.
#ifndef TRAINER_NETWORK_CONVOLUTION_GEOMETRY_H_
#define TRAINER_NETWORK_CONVOLUTION_GEOMETRY_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "google/protobuf/repeated_field.h"
#include "lipserve/v1/layer.pb.h"
#include "model/network/frozen_network.h"
#include "trainer/network/layer_place.h"

namespace lipserve::trainer {

// A vertical and a horizontal number, each at least `least`, from a field of one or two numbers. An
// empty field gives `value_of_none`.
//
// Errors: InvalidArgument naming the place, the field, what was expected and found.
absl::StatusOr<std::pair<std::size_t, std::size_t>> ReadPair(
    const google::protobuf::RepeatedField<std::int64_t>& numbers, const char* field,
    std::int64_t least, std::size_t value_of_none, const LayerPlace& place);

// The convolution that `spec` describes on images of place.input_shape, without weights.
//
// Guarantee: CheckNetwork accepts it in a network, given its weights, and its norm can be proven.
// Errors:    InvalidArgument naming the place, the field, what was expected and found.
absl::StatusOr<ConvolutionLayer> ReadGeometry(const v1::ConvolutionSpec& spec,
                                              const LayerPlace& place);

}  // namespace lipserve::trainer

#endif  // TRAINER_NETWORK_CONVOLUTION_GEOMETRY_H_
