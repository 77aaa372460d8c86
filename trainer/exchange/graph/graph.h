// SPDX-License-Identifier: Apache-2.0
// An ONNX graph after reading: names resolved, constants folded, shapes known. It has no type of
// the ONNX library, so that only the reader knows that library.
//
// Example: read a model and run it.
//   LIPSERVE_ASSIGN_OR_RETURN(const exchange::Graph graph, exchange::ReadGraph("model.onnx", {}));
//   LIPSERVE_ASSIGN_OR_RETURN(const std::vector<exchange::Tensor> outputs,
//                             exchange::Evaluate(graph, images));
#ifndef TRAINER_EXCHANGE_GRAPH_GRAPH_H_
#define TRAINER_EXCHANGE_GRAPH_GRAPH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/exchange/operators/node.h"

namespace lipserve::exchange {

// The dimension of the batch: the one that a caller chooses. -k stands for k times the batch, as
// after a Reshape that merges the batch with other dimensions.
inline constexpr std::int64_t kBatch = -1;

struct Value {
  std::string name;
  ElementType type = ElementType::kFloat32;
  // Shape; the first dimension of a value that depends on the input may be kBatch, or -k.
  std::vector<std::int64_t> dims;
  bool is_constant = false;
  Tensor constant = {};  // where is_constant
};

// Nodes are in topological order: a node reads only values of earlier nodes, constants and the
// input. No node has constant inputs only, and each one leads to an output. There is no Identity,
// inference Dropout, Constant or ZipMap. A shape that holds the batch is written with -1 in a
// Reshape; elsewhere its nodes (Shape, Gather, ...) remain.
struct Graph {
  std::string file;  // for messages
  std::vector<Value> values;
  std::vector<Node> nodes;
  ValueId input = 0;               // its first dimension is kBatch, also where the file fixes it
  std::vector<ValueId> outputs;    // as the file lists them
  std::vector<std::string> notes;  // what reading changed, a line each: tell the user
};

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_GRAPH_GRAPH_H_
