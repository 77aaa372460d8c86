// SPDX-License-Identifier: Apache-2.0
// Converts between the layers of a network and their messages in a model file.
#ifndef MODEL_NETWORK_LAYER_PROTO_H_
#define MODEL_NETWORK_LAYER_PROTO_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "lipserve/v1/model_file.pb.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// A size in a file is an int64. A negative one becomes 0, which every check refuses.
inline std::size_t ToSize(std::int64_t value) {
  return value < 0 ? 0 : static_cast<std::size_t>(value);
}

// Errors: InvalidArgument, naming the field `what`, if there are not three sizes.
absl::StatusOr<SampleShape> ShapeFromProto(
    const google::protobuf::RepeatedField<std::int64_t>& sizes, const char* what);

v1::FrozenLayer LayerToProto(const FrozenLayer& layer);

// Errors: InvalidArgument if the message is not one of the known layers, an array of bytes is no
//         array of float32 (of uint32, in a permutation), an enum is unknown, a value's number is
//         negative, or a claimed bound is not finite and nonnegative. Sizes are not checked here;
//         negative ones become 0, which CheckNetwork refuses.
absl::StatusOr<FrozenLayer> LayerFromProto(const v1::FrozenLayer& proto);

// Errors: InvalidArgument if the mode is not set or is an unknown number.
absl::StatusOr<PaddingMode> PaddingModeFromProto(v1::PaddingMode mode);

}  // namespace lipserve

#endif  // MODEL_NETWORK_LAYER_PROTO_H_
