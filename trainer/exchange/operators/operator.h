// SPDX-License-Identifier: Apache-2.0
// The operators of ONNX that we know: which shapes they give, and which numbers.
#ifndef TRAINER_EXCHANGE_OPERATORS_OPERATOR_H_
#define TRAINER_EXCHANGE_OPERATORS_OPERATOR_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/exchange/operators/node.h"
#include "trainer/exchange/operators/operator_call.h"

namespace lipserve::exchange {

// No array of a graph has more elements.
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;

// Whether `op` is an operator that the two functions below know.
bool IsKnownOperator(const std::string& op);

// The types and shapes of a node's outputs. Costs no more than a few times the integers that the
// node's shapes are made of.
//
// Source: ONNX's operator specification, onnx.ai/onnx/operators.
// Errors: InvalidArgument with the node, what was expected and what was found, if inputs and
//         attributes do not fit the operator, or an output had more than kMaxElements elements.
absl::StatusOr<std::vector<Signature>> InferOutputs(const Node& node,
                                                    std::span<const Operand> operands);

// The outputs of a node, computed in float64. Operators that only move numbers keep their type;
// of others, outputs that are no integers are kFloat64.
//
// Requires: inputs has one pointer for each input of the node, null where it is left out.
// Errors:   as InferOutputs; InvalidArgument for an index outside of its data.
absl::StatusOr<std::vector<Tensor>> EvaluateNode(const Node& node,
                                                 std::span<const Tensor* const> inputs);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_OPERATORS_OPERATOR_H_
