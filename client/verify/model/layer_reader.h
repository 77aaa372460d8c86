// SPDX-License-Identifier: Apache-2.0
// Trusted: says which function a message FrozenLayer is. No floating point, no protobuf.
//
// Format: proto/lipserve/v1/model_file.proto.
#ifndef CLIENT_VERIFY_MODEL_LAYER_READER_H_
#define CLIENT_VERIFY_MODEL_LAYER_READER_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "client/verify/model/layer.h"

namespace lipserve::verify {

// The layer in the message `bytes`, which reads samples of shape `input`.
//
// Guarantee: arrays have the sizes that the layer says, numbers are finite and not subnormal, and
//            the layer's output for a sample has at most kMaxDimension numbers. Memory use is in
//            proportion to the bytes read.
// Errors:    InvalidArgument, naming the field, expected and got.
absl::StatusOr<Layer> ReadLayer(std::string_view bytes, const Shape& input);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_MODEL_LAYER_READER_H_
