// SPDX-License-Identifier: Apache-2.0
#ifndef TRAINER_EXCHANGE_GRAPH_READ_GRAPH_H_
#define TRAINER_EXCHANGE_GRAPH_READ_GRAPH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/exchange/graph/graph.h"

namespace lipserve::exchange {

struct ReadOptions {
  // The shape of one image, without the batch: for files that leave height or width open.
  std::optional<std::vector<std::int64_t>> input_shape = std::nullopt;
};

// Reads an ONNX file: IR 3 to 10, ai.onnx opset 7 to 22, ai.onnx.ml 1 to 5. The file is not
// trusted: nothing outside its folder is opened, nothing recurses with its length, and every
// array is counted before it is built.
//
// A batch that the file fixes becomes kBatch. float16 and bfloat16 weights are widened, which is
// exact. Subnormal weights become 0, and Graph::notes says so.
//
// Source: ONNX's operator specification, onnx.ai/onnx/operators.
// Memory: at most 4 times the model's files, plus 64 MiB, for arrays.
// Errors: NotFound if the file is not there. InvalidArgument with the file, the node, its
//         operator, what was expected, what was found and what to do, in one line, if the file is
//         damaged, or its operators are unknown or do not fit together.
//         ResourceExhausted if folding constants would need more memory, or read more than 1e10
//         numbers.
absl::StatusOr<Graph> ReadGraph(const std::string& path, const ReadOptions& options);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_GRAPH_READ_GRAPH_H_
