// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/evaluation/evaluate.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/operators/operator.h"

namespace lipserve::exchange {
namespace {

absl::Status CheckInput(const Graph& graph, const Tensor& input) {
  const Value& expected = graph.values[graph.input];
  bool fits = input.dims.size() == expected.dims.size();
  for (std::size_t i = 0; fits && i < input.dims.size(); ++i) {
    fits = expected.dims[i] == kBatch || input.dims[i] == expected.dims[i];
  }
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(graph.file, ": input ", expected.name,
                                                 ": expected ", DimsText(expected.dims), ", got ",
                                                 DimsText(input.dims)));
}

// The last node that reads each value; the end for outputs.
std::vector<std::size_t> LastReaders(const Graph& graph) {
  std::vector<std::size_t> readers(graph.values.size(), 0);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId value : graph.nodes[n].inputs) {
      if (value != kNoValue) readers[value] = n;
    }
  }
  for (const ValueId value : graph.outputs) readers[value] = graph.nodes.size();
  return readers;
}

}  // namespace

absl::StatusOr<std::vector<Tensor>> Evaluate(const Graph& graph, const Tensor& input) {
  LIPSERVE_RETURN_IF_ERROR(CheckInput(graph, input));
  const std::vector<std::size_t> readers = LastReaders(graph);
  std::vector<Tensor> values(graph.values.size());
  values[graph.input] = input;
  const auto tensor_of = [&](ValueId value) -> const Tensor* {
    if (value == kNoValue) return nullptr;
    return graph.values[value].is_constant ? &graph.values[value].constant : &values[value];
  };
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    std::vector<const Tensor*> inputs;
    for (const ValueId value : node.inputs) inputs.push_back(tensor_of(value));
    absl::StatusOr<std::vector<Tensor>> outputs = EvaluateNode(node, inputs);
    if (!outputs.ok()) {
      return absl::Status(outputs.status().code(),
                          absl::StrCat(graph.file, ": ", std::string(outputs.status().message())));
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) values[node.outputs[i]] = std::move((*outputs)[i]);
    }
    for (const ValueId value : node.inputs) {
      if (value != kNoValue && readers[value] == n) values[value] = {};
    }
  }
  std::vector<Tensor> results;
  for (const ValueId output : graph.outputs) {
    Tensor result = *tensor_of(output);
    // float32 is widened, which is exact.
    if (const auto* const numbers = std::get_if<std::vector<float>>(&result.values)) {
      result.values = std::vector<double>(numbers->begin(), numbers->end());
      result.type = ElementType::kFloat64;
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace lipserve::exchange
