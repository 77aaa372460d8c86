// SPDX-License-Identifier: Apache-2.0
#ifndef TRAINER_EXCHANGE_EVALUATION_EVALUATE_H_
#define TRAINER_EXCHANGE_EVALUATION_EVALUATE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "trainer/exchange/graph/graph.h"

namespace lipserve::exchange {

// Computes every output of a graph in float64, node by node: the reference that an imported
// network is compared with.
//
// Source:  ONNX's operator specification, onnx.ai/onnx/operators.
// Shapes:  input: as the graph's input, its batch chosen by the caller.
// Returns: the values of graph.outputs: float64 for numbers, int64 for classes and booleans.
// Errors:  InvalidArgument if the input does not have the graph's shape, or a node meets an index
//          outside of its data.
absl::StatusOr<std::vector<Tensor>> Evaluate(const Graph& graph, const Tensor& input);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_EVALUATION_EVALUATE_H_
