// SPDX-License-Identifier: Apache-2.0
// The operators that are taken, by what becomes of them. Each function converts one node: it reads
// the views of its inputs and returns those of its outputs, and adds layers where it must.
//
// Errors of all of them: InvalidArgument, without the file and the node, which the caller adds.
#ifndef TRAINER_EXCHANGE_IMPORT_OPERATORS_H_
#define TRAINER_EXCHANGE_IMPORT_OPERATORS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/exchange/import/conversion.h"
#include "trainer/exchange/import/node_arguments.h"

namespace lipserve::exchange {

using Views = std::vector<View>;
using ConvertOperator = absl::StatusOr<Views> (*)(Conversion&, const NodeArguments&);

// How an operator is converted; null for one that is not taken.
ConvertOperator FindOperator(const std::string& op);

// The view of input `input`, with the node among its nodes.
//
// Errors: that of the value, or InvalidArgument if it is constant.
absl::StatusOr<View> InputView(Conversion& conversion, const NodeArguments& arguments,
                               std::size_t input);
// Whether an input depends on the input of the network.
bool IsVariable(const Conversion& conversion, const NodeArguments& arguments, std::size_t input);

// Movement: Cast to a float, Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Slice, Split, Concat,
// Gather, Pad, Expand, DepthToSpace, SpaceToDepth.
absl::StatusOr<Views> ConvertCast(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertReshape(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertTranspose(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertSlice(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertSplit(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertConcat(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertGather(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertPad(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertExpand(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertDepthToSpace(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertSpaceToDepth(Conversion& conversion, const NodeArguments& arguments);

// Scales and shifts: Add, Sub, Mul, Div with a constant, Neg, BatchNormalization, Scaler; sums of
// two values.
absl::StatusOr<Views> ConvertAdd(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertSum(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertSub(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertMul(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertDiv(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertNeg(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertBatchNorm(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertScaler(Conversion& conversion, const NodeArguments& arguments);

// Sorts and activations.
absl::StatusOr<Views> ConvertMin(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertMax(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertReduceMin(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertReduceMax(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertTopK(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertRelu(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertLeakyRelu(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertPRelu(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertClip(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertAbs(Conversion& conversion, const NodeArguments& arguments);

// Linear maps.
absl::StatusOr<Views> ConvertGemm(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertMatMul(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertLinearClassifier(Conversion& conversion,
                                              const NodeArguments& arguments);
absl::StatusOr<Views> ConvertConv(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertConvTranspose(Conversion& conversion, const NodeArguments& arguments);

// Pools.
absl::StatusOr<Views> ConvertAveragePool(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertGlobalAveragePool(Conversion& conversion,
                                               const NodeArguments& arguments);
absl::StatusOr<Views> ConvertReduceMean(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertReduceSum(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertMaxPool(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertGlobalMaxPool(Conversion& conversion, const NodeArguments& arguments);
// Squares, roots, and what L2-norm pools are spelled with.
absl::StatusOr<Views> ConvertReduceL2(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertSqrt(Conversion& conversion, const NodeArguments& arguments);
absl::StatusOr<Views> ConvertPow(Conversion& conversion, const NodeArguments& arguments);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_OPERATORS_H_
