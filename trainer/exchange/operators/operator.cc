// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/operators/operator.h"

#include <map>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "trainer/exchange/operators/convolution_ops.h"
#include "trainer/exchange/operators/elementwise_ops.h"
#include "trainer/exchange/operators/linear_ops.h"
#include "trainer/exchange/operators/ml_ops.h"
#include "trainer/exchange/operators/movement_ops.h"
#include "trainer/exchange/operators/pooling_ops.h"
#include "trainer/exchange/operators/reduction_ops.h"
#include "trainer/exchange/operators/shape_ops.h"

namespace lipserve::exchange {
namespace {

const std::map<std::string, Operator>& OperatorTable() {
  static const auto& table = *[] {
    auto* all = new std::map<std::string, Operator>();
    for (const auto& room :
         {ElementwiseOperators(), ReductionOperators(), ShapeOperators(), MovementOperators(),
          LinearOperators(), ConvolutionOperators(), PoolingOperators(), MlOperators()}) {
      all->insert(room.begin(), room.end());
    }
    return all;
  }();
  return table;
}

void CheckNumberOfInputs(OperatorCall& call, const Operator& op) {
  const std::size_t count = call.num_inputs();
  if (!call.Check(count >= op.min_inputs && count <= op.max_inputs, "expected ", op.min_inputs,
                  " to ", op.max_inputs, " inputs, got ", count)) {
    return;
  }
  for (std::size_t i = 0; i < op.min_inputs; ++i) {
    call.Check(call.Has(i), "expected input ", i, ", got none");
  }
}

void CheckOutputs(OperatorCall& call) {
  const std::size_t wanted = call.node().outputs.size();
  call.Check(wanted <= call.outputs().size(), "expected at most ", call.outputs().size(),
             " outputs, got ", wanted);
  for (const Signature& output : call.outputs()) {
    std::int64_t count = 1;
    for (const std::int64_t dim : output.dims) {
      if (!call.Check(dim >= 0, "expected an output without negative dimensions, got ",
                      DimsText(output.dims)) ||
          !call.Check(dim == 0 || count <= kMaxElements / dim, "expected at most ", kMaxElements,
                      " elements, got an output of ", DimsText(output.dims))) {
        return;
      }
      count *= dim;
    }
  }
}

// The operator, after its shapes are inferred and checked; null where something is wrong.
const Operator* InferCall(OperatorCall& call) {
  const auto found = OperatorTable().find(call.node().op);
  if (!call.Check(found != OperatorTable().end(), "is an unknown operator")) return nullptr;
  CheckNumberOfInputs(call, found->second);
  if (call.ok()) found->second.infer(call);
  if (call.ok()) CheckOutputs(call);
  return call.ok() ? &found->second : nullptr;
}

}  // namespace

bool IsKnownOperator(const std::string& op) { return OperatorTable().count(op) != 0; }

absl::StatusOr<std::vector<Signature>> InferOutputs(const Node& node,
                                                    std::span<const Operand> operands) {
  OperatorCall call(node, operands);
  if (InferCall(call) == nullptr) return call.status();
  return call.outputs();
}

absl::StatusOr<std::vector<Tensor>> EvaluateNode(const Node& node,
                                                 std::span<const Tensor* const> inputs) {
  std::vector<Operand> operands(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] != nullptr) operands[i] = {true, inputs[i]->type, inputs[i]->dims, inputs[i]};
  }
  OperatorCall call(node, operands);
  const Operator* op = InferCall(call);
  if (op == nullptr) return call.status();
  for (const Signature& output : call.outputs()) {
    call.results().push_back({output.type, output.dims, {}});
  }
  op->compute(call);
  if (!call.ok()) return call.status();
  return std::move(call.results());
}

}  // namespace lipserve::exchange
