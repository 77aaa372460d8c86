// SPDX-License-Identifier: Apache-2.0
// An ONNX graph after reading: names resolved, constants folded, shapes known. It has no type of
// the ONNX library, so that only the reader knows that library.
//
// Example: read a model and run it.
//   LIPSERVE_ASSIGN_OR_RETURN(const exchange::Graph graph, exchange::ReadGraph("model.onnx", {}));
//   LIPSERVE_ASSIGN_OR_RETURN(const exchange::Tensor scores, exchange::Evaluate(graph, images));
#ifndef TRAINER_EXCHANGE_GRAPH_GRAPH_H_
#define TRAINER_EXCHANGE_GRAPH_GRAPH_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace lipserve::exchange {

// The kinds of numbers that a file may hold. Narrower ones are widened while reading, which is
// exact.
enum class ElementType { kFloat32, kFloat64, kInt64, kBool };

// An array of numbers in row-major order. No dims: a scalar.
struct Tensor {
  ElementType type = ElementType::kFloat32;
  std::vector<std::int64_t> dims = {};
  // float32 numbers as float, float64 as double, integers and booleans (0, 1) as int64.
  std::variant<std::vector<float>, std::vector<double>, std::vector<std::int64_t>> values = {};
};

// The value of an attribute of a node.
using Attribute = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>,
                               std::vector<float>, std::vector<std::string>, Tensor>;

// A value of the graph: the index into Graph::values.
using ValueId = std::size_t;
inline constexpr ValueId kNoValue = static_cast<ValueId>(-1);  // an input that is left out

// One operator.
struct Node {
  std::string op;      // e.g. "Gemm"; "ai.onnx.ml.Scaler" for an operator of that domain
  std::string name;    // for messages: the node's name, or "node 7" where it has none
  std::int64_t opset;  // the version of the operator's domain that the file asks for
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::map<std::string, Attribute> attributes;
};

// The dimension of the batch: the one that a caller chooses.
inline constexpr std::int64_t kBatch = -1;

struct Value {
  std::string name;
  ElementType type = ElementType::kFloat32;
  // Shape; the first dimension of a value that depends on the input may be kBatch.
  std::vector<std::int64_t> dims;
  bool is_constant = false;
  Tensor constant = {};  // where is_constant
};

// Nodes are in topological order: a node reads only values of earlier nodes, constants and the
// input. No node has constant inputs only, and each one leads to an output.
struct Graph {
  std::string file;  // for messages
  std::vector<Value> values;
  std::vector<Node> nodes;
  ValueId input = 0;
  std::vector<ValueId> outputs;  // as the file lists them
};

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_GRAPH_GRAPH_H_
