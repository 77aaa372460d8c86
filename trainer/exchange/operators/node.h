// SPDX-License-Identifier: Apache-2.0
// Arrays and operators of an ONNX graph, without a type of the ONNX library.
#ifndef TRAINER_EXCHANGE_OPERATORS_NODE_H_
#define TRAINER_EXCHANGE_OPERATORS_NODE_H_

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
  std::vector<ValueId> outputs;  // kNoValue: an output that nobody reads
  std::map<std::string, Attribute> attributes;
};

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_OPERATORS_NODE_H_
