// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/graph/graph_builder.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"

namespace lipserve::exchange {
namespace {

// What follows from shapes is small; larger arrays that do are left to the evaluation.
constexpr std::size_t kMostKnown = 4096;

absl::Status AtNode(const Node& node, const std::string& problem) {
  return absl::InvalidArgumentError(absl::StrCat(NodeText(node), ": ", problem));
}

// Operators whose output is their input, so that a graph does without them.
bool IsPassedThrough(const Node& node) {
  return node.op == "Identity" || node.op == "Dropout" || node.op == "ai.onnx.ml.ZipMap";
}

// Operators whose output follows from the shape of the input alone.
bool ReadsShapeOnly(const Node& node) { return node.op == "Shape" || node.op == "Size"; }

// At most so many numbers are read to fold all constants of a file: a matter of seconds.
constexpr double kMostReads = 1e10;

double Elements(const Dims& dims) { return static_cast<double>(NumElements(dims)); }

// How many numbers a node reads, at most. `outputs`: how many it writes.
// Requires: InferOutputs has taken the node.
double ReadsOf(const Node& node, const std::vector<Operand>& operands, double outputs) {
  const auto per_first_axis = [](const Dims& weights) {
    return weights[0] == 0 ? 0 : Elements(weights) / static_cast<double>(weights[0]);
  };
  if (node.op == "Conv") return outputs * per_first_axis(operands[1].dims);
  if (node.op == "ConvTranspose") {
    return Elements(operands[0].dims) * per_first_axis(operands[1].dims);
  }
  if (node.op == "MatMul" || node.op == "Gemm") {
    // The inner dimension is one of the first matrix's.
    const Dims& dims = operands[0].dims;
    return outputs * static_cast<double>(*std::max_element(dims.begin(), dims.end()));
  }
  if (node.op == "AveragePool" || node.op == "MaxPool") {
    return outputs * Elements(std::get<Dims>(node.attributes.at("kernel_shape")));
  }
  double reads = outputs;
  for (const Operand& operand : operands) reads += Elements(operand.dims);
  return reads;
}

bool AreEqual(const Tensor& a, const Tensor& b) {
  return a.type == b.type && a.dims == b.dims && a.values == b.values;
}

}  // namespace

GraphBuilder::GraphBuilder(ArrayBudget& budget, std::optional<std::int64_t> fixed_batch)
    : budget_(budget),
      fixed_batch_(fixed_batch),
      batches_({fixed_batch.value_or(3), fixed_batch.value_or(3) + 4}) {}

ValueId GraphBuilder::AddValue(BuiltValue value) {
  values_.push_back(std::move(value));
  return values_.size() - 1;
}

absl::Status GraphBuilder::Name(const std::string& name, ValueId value) {
  if (names_.emplace(name, value).second) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("value \"", name,
                   "\": expected one node or initializer that makes it, got two: the file is "
                   "damaged"));
}

absl::Status GraphBuilder::AddConstant(const std::string& name, Tensor tensor) {
  BuiltValue value{.name = name, .type = tensor.type, .is_constant = true};
  for (Run& run : value.runs) run.dims = tensor.dims;
  value.constant = std::move(tensor);
  return Name(name, AddValue(std::move(value)));
}

absl::Status GraphBuilder::AddInput(const std::string& name, ElementType type, const Dims& dims) {
  BuiltValue value{.name = name, .type = type};
  for (std::size_t r = 0; r < kRuns; ++r) {
    value.runs[r].dims = dims;
    value.runs[r].dims[0] = batches_[r];
  }
  input_ = AddValue(std::move(value));
  return Name(name, input_);
}

absl::StatusOr<ValueId> GraphBuilder::Find(const Node& node, const std::string& name) const {
  if (name.empty()) return kNoValue;
  const auto found = names_.find(name);
  if (found != names_.end()) return found->second;
  return AtNode(node, absl::StrCat("expected an input that an earlier node or initializer makes, "
                                   "got \"",
                                   name, "\": the file is damaged"));
}

const Tensor* GraphBuilder::KnownTensor(ValueId value, std::size_t run) const {
  const BuiltValue& built = values_[value];
  if (built.is_constant) return &built.constant;
  return built.runs[run].known ? &*built.runs[run].known : nullptr;
}

Operand GraphBuilder::OperandOf(ValueId value, std::size_t run) const {
  if (value == kNoValue) return {};
  return {.is_present = true,
          .type = values_[value].type,
          .dims = values_[value].runs[run].dims,
          .tensor = KnownTensor(value, run)};
}

// Of what folding makes, in float64.
absl::Status GraphBuilder::TakeMemory(const Node& node, const std::vector<Signature>& outputs) {
  std::size_t elements = 0;
  for (const Signature& output : outputs) elements += NumElements(output.dims);
  return budget_.Take(elements, 8, absl::StrCat(NodeText(node), ": folding constants"));
}

absl::Status GraphBuilder::TakeTime(const Node& node, const std::vector<Operand>& operands,
                                    const std::vector<Signature>& outputs) {
  double elements = 0;
  for (const Signature& output : outputs) elements += Elements(output.dims);
  reads_ += ReadsOf(node, operands, elements);
  if (reads_ <= kMostReads) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(NodeText(node), ": folding constants: expected to read at most ", kMostReads,
                   " numbers, got ", reads_, ": export the model with its constants folded"));
}

// The outputs of a node that reads constants only.
absl::Status GraphBuilder::FoldConstants(const Node& node,
                                         const std::vector<std::string>& outputs) {
  std::vector<Operand> operands;
  std::vector<const Tensor*> tensors;
  for (const ValueId input : node.inputs) {
    operands.push_back(OperandOf(input, 0));
    tensors.push_back(operands.back().tensor);
  }
  LIPSERVE_ASSIGN_OR_RETURN(const std::vector<Signature> signatures, InferOutputs(node, operands));
  LIPSERVE_RETURN_IF_ERROR(TakeMemory(node, signatures));
  LIPSERVE_RETURN_IF_ERROR(TakeTime(node, operands, signatures));
  LIPSERVE_ASSIGN_OR_RETURN(std::vector<Tensor> results, EvaluateNode(node, tensors));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].empty()) {
      LIPSERVE_RETURN_IF_ERROR(AddConstant(outputs[i], std::move(results[i])));
    }
  }
  return absl::OkStatus();
}

// Shapes, and what follows from shapes, for one batch.
absl::Status GraphBuilder::InferRun(const Node& node, std::size_t run,
                                    std::vector<BuiltValue>& outputs) {
  std::vector<Operand> operands;
  std::vector<Tensor> shapes(node.inputs.size());  // dims without numbers
  std::vector<const Tensor*> tensors;
  bool is_known = true;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    operands.push_back(OperandOf(node.inputs[i], run));
    tensors.push_back(operands.back().tensor);
    if (ReadsShapeOnly(node)) {
      shapes[i] = {operands.back().type, operands.back().dims, {}};
      tensors.back() = &shapes[i];
    }
    is_known = is_known && (tensors.back() != nullptr || !operands.back().is_present);
  }
  LIPSERVE_ASSIGN_OR_RETURN(const std::vector<Signature> signatures, InferOutputs(node, operands));
  std::size_t elements = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].type = signatures[i].type;
    outputs[i].runs[run].dims = signatures[i].dims;
    elements += NumElements(signatures[i].dims);
  }
  if (!is_known || elements > kMostKnown) return absl::OkStatus();
  LIPSERVE_RETURN_IF_ERROR(TakeTime(node, operands, signatures));
  LIPSERVE_ASSIGN_OR_RETURN(std::vector<Tensor> results, EvaluateNode(node, tensors));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].runs[run].known = std::move(results[i]);
  }
  return absl::OkStatus();
}

// The shape of a Reshape of `dims` without 0 and -1, if that can be told.
std::optional<Dims> ConcreteShape(Dims shape, const Dims& dims) {
  for (std::size_t i = 0; i < shape.size() && i < dims.size(); ++i) {
    if (shape[i] == 0) shape[i] = dims[i];  // 0 copies a dimension
  }
  const auto open = std::find(shape.begin(), shape.end(), -1);
  if (open == shape.end()) return shape;
  *open = 1;
  std::int64_t known = 1;
  for (const std::int64_t dim : shape) {
    if (dim < 1 || dim > kMaxElements / known) return std::nullopt;
    known *= dim;
  }
  *open = static_cast<std::int64_t>(NumElements(dims)) / known;
  return shape;
}

// The first place where two shapes differ, 0 if none.
std::size_t FirstDifference(const Dims& a, const Dims& b) {
  const auto place = std::mismatch(a.begin(), a.end(), b.begin()).first;
  return place == a.end() ? 0 : static_cast<std::size_t>(place - a.begin());
}

// Writes the shape of a Reshape with -1 for the batch: where the file repeats the number of a fixed
// batch, or computes the shape.
absl::Status GraphBuilder::FitReshape(Node& node) {
  if (node.op != "Reshape" || node.inputs.size() != 2 || node.inputs[1] == kNoValue ||
      node.inputs[0] == kNoValue) {
    return absl::OkStatus();
  }
  const Tensor* const first = KnownTensor(node.inputs[1], 0);
  const Tensor* const second = KnownTensor(node.inputs[1], 1);
  if (first == nullptr || second == nullptr || !IsInteger(first->type)) return absl::OkStatus();
  Dims shape = std::get<Dims>(first->values);
  const Dims other = std::get<Dims>(second->values);
  if (shape.empty() || shape.size() != other.size()) return absl::OkStatus();
  const bool is_computed = shape != other;
  const bool repeats_batch =
      !is_computed && fixed_batch_ && shape[0] > 0 &&
      values_[node.inputs[0]].runs[0].dims != values_[node.inputs[0]].runs[1].dims;
  if (!is_computed && !repeats_batch) return absl::OkStatus();
  // What a -1 of the file stands for.
  const auto concrete = ConcreteShape(shape, OperandOf(node.inputs[0], 0).dims);
  if (!concrete) return absl::OkStatus();
  const std::size_t batch_axis = FirstDifference(shape, other);
  if (batch_axis != 0 && shape[0] != 0) {
    return AtNode(node,
                  "expected a shape whose first dimension has the batch, got another: export "
                  "the model so that the batch stays first");
  }
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1 && i != batch_axis) shape[i] = (*concrete)[i];
  }
  shape[batch_axis] = -1;
  const std::string name = absl::StrCat(values_[node.inputs[1]].name, " of ", node.name);
  const auto size = static_cast<std::int64_t>(shape.size());
  BuiltValue value{.name = name, .type = ElementType::kInt64, .is_constant = true};
  value.constant = {ElementType::kInt64, {size}, std::move(shape)};
  for (Run& run : value.runs) run.dims = {size};
  node.inputs[1] = AddValue(std::move(value));
  return absl::OkStatus();
}

absl::Status GraphBuilder::AddNode(Node node, const std::vector<std::string>& inputs,
                                   const std::vector<std::string>& outputs) {
  bool reads_constants = true;
  for (const std::string& name : inputs) {
    LIPSERVE_ASSIGN_OR_RETURN(const ValueId value, Find(node, name));
    node.inputs.push_back(value);
    reads_constants = reads_constants && (value == kNoValue || values_[value].is_constant);
  }
  node.outputs.assign(outputs.size(), kNoValue);
  if (reads_constants) return FoldConstants(node, outputs);
  LIPSERVE_RETURN_IF_ERROR(FitReshape(node));
  std::vector<BuiltValue> made(outputs.size());
  for (std::size_t run = 0; run < kRuns; ++run) {
    LIPSERVE_RETURN_IF_ERROR(InferRun(node, run, made));
  }
  if (IsPassedThrough(node)) {
    for (std::size_t i = 1; i < outputs.size(); ++i) {
      if (outputs[i].empty()) continue;
      return AtNode(node,
                    absl::StrCat("expected one output that is used, got \"", outputs[i], "\" too"));
    }
    return outputs.empty() ? absl::OkStatus() : Name(outputs[0], node.inputs[0]);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].empty()) continue;
    BuiltValue& value = made[i];
    value.name = outputs[i];
    const auto& [first, second] = value.runs;
    if (first.known && second.known && AreEqual(*first.known, *second.known)) {
      LIPSERVE_RETURN_IF_ERROR(AddConstant(outputs[i], *std::move(value.runs[0].known)));
      continue;
    }
    const ValueId id = AddValue(std::move(value));
    LIPSERVE_RETURN_IF_ERROR(Name(outputs[i], id));
    node.outputs[i] = id;
  }
  nodes_.push_back(std::move(node));
  return absl::OkStatus();
}

absl::Status GraphBuilder::AddOutput(const std::string& name) {
  const auto found = names_.find(name);
  if (found == names_.end() || values_[found->second].is_constant) {
    return absl::InvalidArgumentError(absl::StrCat(
        "output \"", name, "\": expected a value that depends on the input, got ",
        found == names_.end() ? "none of this name" : "a constant", ": export the model again"));
  }
  outputs_.push_back(found->second);
  return absl::OkStatus();
}

// The dimensions for any batch.
absl::StatusOr<Dims> GraphBuilder::BatchDims(const BuiltValue& value) const {
  Dims dims = value.runs[0].dims;
  const Dims& other = value.runs[1].dims;
  const auto fail = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("value \"", value.name,
                     "\": expected a first dimension that is a multiple of the batch and "
                     "others that do not depend on it, got ",
                     DimsText(dims), " for a batch of ", batches_[0], " and ", DimsText(other),
                     " for ", batches_[1], ": lipserve needs the batch first"));
  };
  if (dims.size() != other.size()) return fail();
  for (std::size_t i = 1; i < dims.size(); ++i) {
    if (dims[i] != other[i]) return fail();
  }
  if (dims.empty() || dims[0] == other[0]) return dims;
  const std::int64_t factor = dims[0] / batches_[0];
  if (factor < 1 || factor * batches_[0] != dims[0] || factor * batches_[1] != other[0]) {
    return fail();
  }
  dims[0] = -factor;
  return dims;
}

// Removes the nodes that lead to no output. Returns which values the others and the outputs need.
std::vector<bool> GraphBuilder::KeepWanted() {
  std::vector<bool> is_wanted(values_.size());
  for (const ValueId output : outputs_) is_wanted[output] = true;
  std::vector<Node> kept;
  for (; !nodes_.empty(); nodes_.pop_back()) {  // from the outputs back
    Node& node = nodes_.back();
    const bool is_alive =
        std::any_of(node.outputs.begin(), node.outputs.end(),
                    [&](ValueId output) { return output != kNoValue && is_wanted[output]; });
    if (!is_alive) continue;
    for (const ValueId input : node.inputs) {
      if (input != kNoValue) is_wanted[input] = true;
    }
    // An output that nobody wants has no value.
    for (ValueId& output : node.outputs) {
      if (output != kNoValue && !is_wanted[output]) output = kNoValue;
    }
    kept.push_back(std::move(node));
  }
  nodes_.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
  is_wanted[input_] = true;
  return is_wanted;
}

absl::StatusOr<Graph> GraphBuilder::Build() && {
  const std::vector<bool> is_wanted = KeepWanted();
  Graph graph;
  std::vector<ValueId> renamed(values_.size(), kNoValue);
  for (std::size_t v = 0; v < values_.size(); ++v) {
    if (!is_wanted[v]) continue;
    BuiltValue& built = values_[v];
    LIPSERVE_ASSIGN_OR_RETURN(Dims dims, BatchDims(built));
    renamed[v] = graph.values.size();
    graph.values.push_back({.name = std::move(built.name),
                            .type = built.type,
                            .dims = std::move(dims),
                            .is_constant = built.is_constant,
                            .constant = std::move(built.constant)});
  }
  for (Node& node : nodes_) {
    for (auto* const ids : {&node.inputs, &node.outputs}) {
      for (ValueId& id : *ids) id = id == kNoValue ? kNoValue : renamed[id];
    }
  }
  graph.nodes = std::move(nodes_);
  graph.input = renamed[input_];
  for (const ValueId output : outputs_) graph.outputs.push_back(renamed[output]);
  return graph;
}

}  // namespace lipserve::exchange
