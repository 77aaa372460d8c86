// SPDX-License-Identifier: Apache-2.0
// A frozen model as an ONNX file, for runtimes of others and to be imported again.
#ifndef TRAINER_EXCHANGE_EXPORT_EXPORT_ONNX_H_
#define TRAINER_EXCHANGE_EXPORT_EXPORT_ONNX_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "model/certificate/network_bounds.h"
#include "model/network/model_file.h"

namespace lipserve::exchange {

// Protobuf reads no larger message.
inline constexpr std::size_t kMostOnnxBytes = std::numeric_limits<std::int32_t>::max();

// The bytes of an ONNX model of IR version 8 and opset 17: standard operators only, weights bit for
// bit. EXPORTING.md lists nodes and metadata. The same model gives the same bytes.
//
// Shapes:   input "images": float32 [batch, C, H, W], in the units of the network's input; output
//           "scores": float32 [batch, NumScores(model.network)].
// Memory:   twice the model's weights; permutations take 8 bytes a number.
// Requires: CheckNetwork(model.network) is OK, and `bounds` are its own.
// Errors:   ResourceExhausted if the file would exceed `most_bytes`, found out layer by layer.
absl::StatusOr<std::string> OnnxBytes(const FrozenModel& model, const NetworkBounds& bounds,
                                      std::size_t most_bytes = kMostOnnxBytes);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_EXPORT_EXPORT_ONNX_H_
