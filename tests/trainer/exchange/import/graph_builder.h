// SPDX-License-Identifier: Apache-2.0
// Small ONNX graphs by hand, as the reader would make them.
#ifndef TESTS_TRAINER_EXCHANGE_IMPORT_GRAPH_BUILDER_H_
#define TESTS_TRAINER_EXCHANGE_IMPORT_GRAPH_BUILDER_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "trainer/exchange/graph/graph.h"

namespace lipserve::exchange {

class GraphBuilder {
 public:
  // `dims`: of a sample.
  explicit GraphBuilder(std::vector<std::int64_t> dims) {
    graph_.file = "test.onnx";
    graph_.input = AddValue("input", std::move(dims));
  }

  ValueId input() const { return graph_.input; }

  ValueId Floats(std::vector<std::int64_t> dims, std::vector<float> numbers) {
    return AddConstant(ElementType::kFloat32, std::move(dims), std::move(numbers));
  }
  ValueId Number(float number) { return Floats({}, {number}); }
  ValueId Ints(std::vector<std::int64_t> numbers) {
    return AddConstant(ElementType::kInt64, {std::ssize(numbers)}, std::move(numbers));
  }
  // Random numbers of about `scale`.
  ValueId Random(std::vector<std::int64_t> dims, float scale = 0.3F) {
    std::size_t size = 1;
    for (const std::int64_t dim : dims) size *= static_cast<std::size_t>(dim);
    std::normal_distribution<float> normal(0.0F, scale);
    std::vector<float> numbers(size);
    for (float& number : numbers) number = normal(random_);
    return Floats(std::move(dims), std::move(numbers));
  }

  // One node; `dims`: of a sample of each output.
  std::vector<ValueId> Nodes(const std::string& op, std::vector<ValueId> inputs,
                             std::vector<std::vector<std::int64_t>> dims,
                             std::map<std::string, Attribute> attributes = {},
                             std::int64_t opset = 20) {
    std::vector<ValueId> outputs;
    for (auto& sample : dims) outputs.push_back(AddValue("value", std::move(sample)));
    graph_.nodes.push_back({.op = op,
                            .name = "node " + std::to_string(graph_.nodes.size()),
                            .opset = opset,
                            .inputs = std::move(inputs),
                            .outputs = outputs,
                            .attributes = std::move(attributes)});
    return outputs;
  }
  ValueId Add(const std::string& op, std::vector<ValueId> inputs, std::vector<std::int64_t> dims,
              std::map<std::string, Attribute> attributes = {}, std::int64_t opset = 20) {
    return Nodes(op, std::move(inputs), {std::move(dims)}, std::move(attributes), opset)[0];
  }

  ValueId Gemm(ValueId x, std::int64_t inputs, std::int64_t outputs) {
    const ValueId weights = Random({outputs, inputs});
    const ValueId bias = Random({outputs});
    return Add("Gemm", {x, weights, bias}, {outputs}, {{"transB", std::int64_t{1}}});
  }
  // A convolution of kernel `size` that keeps the image of `dims`, [C, H, W].
  ValueId Conv(ValueId x, std::vector<std::int64_t> dims, std::int64_t outputs, std::int64_t size) {
    const ValueId weights = Random({outputs, dims[0], size, size});
    const ValueId bias = Random({outputs});
    const std::int64_t pad = size / 2;
    dims[0] = outputs;
    return Add("Conv", {x, weights, bias}, std::move(dims),
               {{"pads", std::vector<std::int64_t>(4, pad)}});
  }
  // Two scores of the numbers of `x`.
  ValueId Scores(ValueId x, std::int64_t size) {
    const ValueId flat = Add("Flatten", {x}, {size});
    return Gemm(flat, size, 2);
  }

  Graph Finish(std::vector<ValueId> outputs) {
    graph_.outputs = std::move(outputs);
    return std::move(graph_);
  }

 private:
  ValueId AddValue(std::string name, std::vector<std::int64_t> sample) {
    sample.insert(sample.begin(), kBatch);
    graph_.values.push_back({.name = std::move(name), .dims = std::move(sample)});
    return graph_.values.size() - 1;
  }

  template <typename Numbers>
  ValueId AddConstant(ElementType type, std::vector<std::int64_t> dims, Numbers numbers) {
    graph_.values.push_back({.name = "constant", .type = type, .dims = dims, .is_constant = true});
    graph_.values.back().constant = {
        .type = type, .dims = std::move(dims), .values = std::move(numbers)};
    return graph_.values.size() - 1;
  }

  Graph graph_;
  std::mt19937 random_{7};
};

}  // namespace lipserve::exchange

#endif  // TESTS_TRAINER_EXCHANGE_IMPORT_GRAPH_BUILDER_H_
