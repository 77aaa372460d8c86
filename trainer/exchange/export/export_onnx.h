// SPDX-License-Identifier: Apache-2.0
// A frozen model as an ONNX file, for runtimes of others and to be imported again.
#ifndef TRAINER_EXCHANGE_EXPORT_EXPORT_ONNX_H_
#define TRAINER_EXCHANGE_EXPORT_EXPORT_ONNX_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/certificate/network_bounds.h"
#include "model/network/model_file.h"

namespace lipserve::exchange {

// The bytes of an ONNX model of IR version 8 and opset 17: standard operators only, weights bit for
// bit. EXPORTING.md lists nodes and metadata. The same model gives the same bytes.
//
// Shapes:   input "images": float32 [batch, C, H, W], in the units of the network's input; output
//           "scores": float32 [batch, NumScores(model.network)].
// Memory:   twice the model's weights; permutations take 8 bytes a number.
// Requires: CheckNetwork(model.network) is OK, and `bounds` are its own.
// Errors:   ResourceExhausted for a file of 2^31 bytes or more, which protobuf cannot read.
absl::StatusOr<std::string> OnnxBytes(const FrozenModel& model, const NetworkBounds& bounds);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_EXPORT_EXPORT_ONNX_H_
