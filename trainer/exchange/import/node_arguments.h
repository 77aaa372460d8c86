// SPDX-License-Identifier: Apache-2.0
// Reads the attributes and the constant inputs of a node, and words the errors about one.
#ifndef TRAINER_EXCHANGE_IMPORT_NODE_ARGUMENTS_H_
#define TRAINER_EXCHANGE_IMPORT_NODE_ARGUMENTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "trainer/exchange/graph/graph.h"

namespace lipserve::exchange {

// "model.onnx: node 'conv1' (Conv): message".
absl::Status NodeError(const Graph& graph, const Node& node, absl::string_view message);

// A node with its graph; both borrowed.
class NodeArguments {
 public:
  NodeArguments(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}

  const Node& node() const { return node_; }
  absl::Status Error(absl::string_view message) const { return NodeError(graph_, node_, message); }

  bool HasInput(std::size_t input) const {
    return input < node_.inputs.size() && node_.inputs[input] != kNoValue;
  }
  // Dims of an output of one sample, without the batch.
  std::vector<std::int64_t> SampleDims(std::size_t output = 0) const;

  // An attribute, or `otherwise` where there is none of that type.
  std::int64_t Int(const char* name, std::int64_t otherwise) const;
  double Float(const char* name, double otherwise) const;
  std::string Text(const char* name, const char* otherwise) const;
  std::vector<std::int64_t> Ints(const char* name) const;
  std::vector<double> Floats(const char* name) const;

  // A constant input; none if it is left out.
  const Tensor* Constant(std::size_t input) const;
  // Numbers that older operators have as an attribute and newer ones as a constant input; none if
  // they have neither.
  //
  // Errors: InvalidArgument if the input is not constant.
  absl::StatusOr<std::optional<std::vector<std::int64_t>>> IntsOf(const char* name,
                                                                  std::size_t input) const;
  // An axis of the tensor as one of the sample.
  //
  // Errors: InvalidArgument if it is that of the batch.
  absl::StatusOr<std::size_t> SampleAxis(std::int64_t axis, std::size_t sample_rank) const;

 private:
  const Graph& graph_;
  const Node& node_;
};

// The numbers of a tensor as float64.
std::vector<double> NumbersOf(const Tensor& tensor);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_NODE_ARGUMENTS_H_
