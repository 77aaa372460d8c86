// SPDX-License-Identifier: Apache-2.0
// What an operator sees of its node: inputs, attributes, and a place for its outputs and for the
// first thing that is wrong.
#ifndef TRAINER_EXCHANGE_OPERATORS_OPERATOR_CALL_H_
#define TRAINER_EXCHANGE_OPERATORS_OPERATOR_CALL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "trainer/exchange/operators/node.h"
#include "trainer/exchange/operators/strided_walk.h"

namespace lipserve::exchange {

// An input of a node. Its numbers may be unknown.
struct Operand {
  bool is_present = false;  // false: an optional input that is left out
  ElementType type = ElementType::kFloat32;
  Dims dims = {};
  const Tensor* tensor = nullptr;  // null where only the shape is known
};

// An output of a node before it is computed.
struct Signature {
  ElementType type = ElementType::kFloat32;
  Dims dims = {};
};

// "[1, 784]".
std::string DimsText(const Dims& dims);

// "node 'fc' (Gemm)".
std::string NodeText(const Node& node);

class OperatorCall {
 public:
  OperatorCall(const Node& node, std::span<const Operand> operands)
      : node_(node), operands_(operands) {}

  // Records what is wrong unless `holds`; the first record stays. Returns whether all is well so
  // far.
  template <typename... Text>
  bool Check(bool holds, const Text&... expected_got_do) {
    if (!holds && status_.ok()) {
      status_ = absl::InvalidArgumentError(absl::StrCat(NodeText(node_), ": ", expected_got_do...));
    }
    return status_.ok();
  }
  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }

  const Node& node() const { return node_; }
  std::int64_t opset() const { return node_.opset; }
  bool Has(std::size_t input) const {
    return input < operands_.size() && operands_[input].is_present;
  }
  std::size_t num_inputs() const { return operands_.size(); }
  const Dims& dims(std::size_t input) const { return operands_[input].dims; }
  std::size_t rank(std::size_t input) const { return dims(input).size(); }
  ElementType type(std::size_t input) const { return operands_[input].type; }
  const Tensor* tensor(std::size_t input) const { return operands_[input].tensor; }

  // An attribute, or `otherwise` where the node has none. Another type than asked for is recorded.
  bool HasAttribute(const std::string& name) const { return node_.attributes.count(name) != 0; }
  std::int64_t Int(const std::string& name, std::int64_t otherwise);
  double Float(const std::string& name, float otherwise);
  std::string Text(const std::string& name, const std::string& otherwise);
  Dims Ints(const std::string& name, const Dims& otherwise);
  std::vector<float> Floats(const std::string& name);

  // An axis counted from the front; outside [-rank, rank) is recorded.
  std::size_t Axis(std::int64_t axis, std::size_t rank);
  // Each axis once, counted from the front.
  std::vector<std::size_t> Axes(const Dims& axes, std::size_t rank);

  // The integers of an input that must be known before the node is run.
  Dims IntInput(std::size_t input);
  // The numbers of an input; requires its tensor. Valid as long as this object.
  std::span<const double> Numbers(std::size_t input);
  std::span<const std::int64_t> Integers(std::size_t input) const;

  void Output(ElementType type, Dims dims) { outputs_.push_back({type, std::move(dims)}); }
  const std::vector<Signature>& outputs() const { return outputs_; }
  const Dims& output_dims() const { return outputs_.front().dims; }

  // The arrays that Compute fills: numbers, or integers.
  std::vector<double>& NumberResult(std::size_t output);
  std::vector<std::int64_t>& IntegerResult(std::size_t output);
  std::vector<Tensor>& results() { return results_; }
  // Fills an output with numbers of input 0, at the offsets of a walk over the output's indices.
  void CopyElements(std::size_t output, StridedWalk walk);

 private:
  template <typename T>
  T Get(const std::string& name, const T& otherwise, const char* kind);

  const Node& node_;
  std::span<const Operand> operands_;
  absl::Status status_;
  std::vector<Signature> outputs_;
  std::vector<Tensor> results_;
  std::deque<std::vector<double>> widened_;
};

// An operator: first the shapes, with every check, then the numbers. `compute` is called after
// `infer` has found nothing wrong, with the tensors of all inputs; results() has an empty tensor
// with the right dims for each output.
struct Operator {
  std::size_t min_inputs;
  std::size_t max_inputs;
  void (*infer)(OperatorCall& call);
  void (*compute)(OperatorCall& call);
};

inline bool IsInteger(ElementType type) {
  return type == ElementType::kInt64 || type == ElementType::kBool;
}

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_OPERATORS_OPERATOR_CALL_H_
