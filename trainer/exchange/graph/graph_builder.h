// SPDX-License-Identifier: Apache-2.0
// Builds a graph node by node: shapes for any batch, constants folded.
#ifndef TRAINER_EXCHANGE_GRAPH_GRAPH_BUILDER_H_
#define TRAINER_EXCHANGE_GRAPH_GRAPH_BUILDER_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/exchange/graph/graph.h"
#include "trainer/exchange/graph/read_tensor.h"
#include "trainer/exchange/operators/operator.h"

namespace lipserve::exchange {

// Every value has its shape for two sizes of the batch. What is equal in both does not depend on
// the batch: integers that come of shapes become constants, and the first dimension of other values
// is a multiple of the batch.
class GraphBuilder {
 public:
  // `fixed_batch`: the batch that the file was written for, whose number shapes of Reshapes repeat.
  GraphBuilder(ArrayBudget& budget, std::optional<std::int64_t> fixed_batch);

  absl::Status AddConstant(const std::string& name, Tensor tensor);
  // `dims`: with kBatch first.
  absl::Status AddInput(const std::string& name, ElementType type, const Dims& dims);
  // A node whose inputs and outputs have these names; "" where one is left out.
  //
  // Errors: InvalidArgument, naming the node; ResourceExhausted if its constants take too much
  //         memory or time.
  absl::Status AddNode(Node node, const std::vector<std::string>& inputs,
                       const std::vector<std::string>& outputs);
  absl::Status AddOutput(const std::string& name);

  // The graph of the nodes that lead to an output. Notes and file are left to the caller.
  absl::StatusOr<Graph> Build() &&;

 private:
  static constexpr std::size_t kRuns = 2;

  // A value for one batch.
  struct Run {
    Dims dims = {};
    std::optional<Tensor> known = std::nullopt;  // integers that follow from shapes
  };
  struct BuiltValue {
    std::string name;
    ElementType type = ElementType::kFloat32;
    bool is_constant = false;
    Tensor constant = {};
    std::array<Run, kRuns> runs = {};
  };

  absl::StatusOr<ValueId> Find(const Node& node, const std::string& name) const;
  absl::Status Name(const std::string& name, ValueId value);
  ValueId AddValue(BuiltValue value);
  Operand OperandOf(ValueId value, std::size_t run) const;
  const Tensor* KnownTensor(ValueId value, std::size_t run) const;
  absl::Status TakeMemory(const Node& node, const std::vector<Signature>& outputs);
  absl::Status TakeTime(const Node& node, const std::vector<Operand>& operands,
                        const std::vector<Signature>& outputs);
  absl::Status FoldConstants(const Node& node, const std::vector<std::string>& outputs);
  absl::Status InferRun(const Node& node, std::size_t run, std::vector<BuiltValue>& outputs);
  absl::Status FitReshape(Node& node);
  std::vector<bool> KeepWanted();
  absl::StatusOr<Dims> BatchDims(const BuiltValue& value) const;

  ArrayBudget& budget_;
  double reads_ = 0;  // numbers read to fold constants
  std::optional<std::int64_t> fixed_batch_;
  std::array<std::int64_t, kRuns> batches_;
  std::unordered_map<std::string, ValueId> names_;
  std::vector<BuiltValue> values_;
  std::vector<Node> nodes_;
  ValueId input_ = kNoValue;
  std::vector<ValueId> outputs_;
};

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_GRAPH_GRAPH_BUILDER_H_
