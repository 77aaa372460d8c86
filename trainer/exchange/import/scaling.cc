// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/scaling.h"

#include <cassert>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/import/operators.h"
#include "trainer/exchange/import/residuals.h"
#include "trainer/exchange/import/squares.h"

namespace lipserve::exchange {
namespace {

Views OneView(View view) {
  Views views;
  views.push_back(std::move(view));
  return views;
}

// A view and a constant that a node combines, with the dims of the node's output.
struct Operands {
  View view;
  std::vector<double> constant;
  bool constant_first = false;
};

absl::StatusOr<Operands> OperandsOf(Conversion& conversion, const NodeArguments& arguments) {
  const bool constant_first = !IsVariable(conversion, arguments, 0);
  LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, constant_first ? 1 : 0));
  const Tensor* const constant = arguments.Constant(constant_first ? 0 : 1);
  const Dims dims = arguments.SampleDims();
  if (constant == nullptr) {
    return absl::InvalidArgumentError(
        "expected a constant as one of the two, got two values that depend on the input");
  }
  LIPSERVE_ASSIGN_OR_RETURN(View view, BroadcastTo(x, dims));
  LIPSERVE_ASSIGN_OR_RETURN(std::vector<double> numbers, BroadcastConstant(*constant, dims));
  return Operands{
      .view = std::move(view), .constant = std::move(numbers), .constant_first = constant_first};
}

// Whether both inputs depend on the input of the network.
bool HasTwoVariables(const Conversion& conversion, const NodeArguments& arguments) {
  return IsVariable(conversion, arguments, 0) && IsVariable(conversion, arguments, 1);
}

absl::StatusOr<Views> AddOrSubtract(Conversion& conversion, const NodeArguments& arguments,
                                    double sign) {
  if (HasTwoVariables(conversion, arguments)) {
    LIPSERVE_ASSIGN_OR_RETURN(const View x, InputView(conversion, arguments, 0));
    LIPSERVE_ASSIGN_OR_RETURN(const View y, InputView(conversion, arguments, 1));
    const Dims dims = arguments.SampleDims();
    LIPSERVE_ASSIGN_OR_RETURN(View first, BroadcastTo(x, dims));
    LIPSERVE_ASSIGN_OR_RETURN(View second, BroadcastTo(y, dims));
    if (sign < 0.0) second = Negated(std::move(second));
    LIPSERVE_ASSIGN_OR_RETURN(View sum, SumOf(conversion, std::move(first), std::move(second)));
    return OneView(std::move(sum));
  }
  LIPSERVE_ASSIGN_OR_RETURN(Operands operands, OperandsOf(conversion, arguments));
  // x + c, x - c, c + x or c - x.
  const bool negates_view = sign < 0.0 && operands.constant_first;
  std::vector<double> shift = std::move(operands.constant);
  if (sign < 0.0 && !operands.constant_first) {
    for (double& number : shift) number = -number;
  }
  const std::vector<double> scale(negates_view ? shift.size() : 0, -1.0);
  return OneView(Scaled(std::move(operands.view), scale, shift));
}

// The channels of a node whose parameters are one per channel.
absl::StatusOr<View> ScaledByChannel(View x, std::span<const double> scale,
                                     std::span<const double> shift) {
  const auto channels = x.dims.empty() ? 0 : static_cast<std::size_t>(x.dims[0]);
  if (channels == 0 || scale.size() != channels || shift.size() != channels) {
    return absl::InvalidArgumentError(absl::StrCat("expected one number for each of ", channels,
                                                   " channels, got ", scale.size(), " and ",
                                                   shift.size()));
  }
  const std::size_t positions = x.size() / channels;
  std::vector<double> scales(x.size());
  std::vector<double> shifts(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    scales[i] = scale[i / positions];
    shifts[i] = shift[i / positions];
  }
  return Scaled(std::move(x), scales, shifts);
}

}  // namespace

View Scaled(View view, std::span<const double> scale, std::span<const double> shift) {
  assert(scale.empty() || scale.size() == view.size());
  assert(shift.empty() || shift.size() == view.size());
  if (!scale.empty()) {
    if (view.scale.empty()) view.scale.assign(view.size(), 1.0);
    for (std::size_t i = 0; i < view.size(); ++i) {
      view.scale[i] *= scale[i];
      if (!view.shift.empty()) view.shift[i] *= scale[i];
    }
  }
  if (!shift.empty()) {
    if (view.shift.empty()) view.shift.assign(view.size(), 0.0);
    for (std::size_t i = 0; i < view.size(); ++i) view.shift[i] += shift[i];
  }
  return view;
}

View Negated(View view) {
  const std::vector<double> scale(view.size(), -1.0);
  return Scaled(std::move(view), scale, {});
}

absl::StatusOr<std::vector<double>> BroadcastConstant(const Tensor& constant, const Dims& dims) {
  Dims shape = constant.dims;
  // The batch: left out, or of size 1.
  if (shape.size() == dims.size() + 1 && shape[0] == 1) shape.erase(shape.begin());
  if (shape.size() > dims.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a constant for samples of ", DimsText(dims), ", got one of ",
                     DimsText(constant.dims), "; a constant must be the same for each sample"));
  }
  // A view of the numbers broadcasts like any other.
  View numbers{.source = {}, .dims = shape, .index = std::vector<std::uint32_t>(SizeOf(shape))};
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers.index[i] = static_cast<std::uint32_t>(i);
  LIPSERVE_ASSIGN_OR_RETURN(const View all, BroadcastTo(numbers, dims));
  const std::vector<double> values = NumbersOf(constant);
  std::vector<double> result(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) result[i] = values[all.index[i]];
  return result;
}

bool IsVariable(const Conversion& conversion, const NodeArguments& arguments, std::size_t input) {
  return arguments.HasInput(input) &&
         !conversion.graph().values[arguments.node().inputs[input]].is_constant;
}

absl::StatusOr<View> InputView(Conversion& conversion, const NodeArguments& arguments,
                               std::size_t input) {
  if (!IsVariable(conversion, arguments, input)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input ", input, ": expected one that depends on the network's input, got a constant"));
  }
  const absl::StatusOr<SharedView>& shared = conversion.ViewOf(arguments.node().inputs[input]);
  if (!shared.ok()) return shared.status();
  View view = **shared;
  AddNodes({conversion.current()}, view.nodes);
  return view;
}

absl::StatusOr<Views> ConvertAdd(Conversion& conversion, const NodeArguments& arguments) {
  return AddOrSubtract(conversion, arguments, 1.0);
}

absl::StatusOr<Views> ConvertSum(Conversion& conversion, const NodeArguments& arguments) {
  if (arguments.node().inputs.size() == 2) return ConvertAdd(conversion, arguments);
  const Dims dims = arguments.SampleDims();
  LIPSERVE_ASSIGN_OR_RETURN(const View first, InputView(conversion, arguments, 0));
  LIPSERVE_ASSIGN_OR_RETURN(View sum, BroadcastTo(first, dims));
  for (std::size_t i = 1; i < arguments.node().inputs.size(); ++i) {
    LIPSERVE_ASSIGN_OR_RETURN(const View next, InputView(conversion, arguments, i));
    LIPSERVE_ASSIGN_OR_RETURN(View term, BroadcastTo(next, dims));
    LIPSERVE_ASSIGN_OR_RETURN(sum, SumOf(conversion, std::move(sum), std::move(term)));
  }
  return OneView(std::move(sum));
}

absl::StatusOr<Views> ConvertSub(Conversion& conversion, const NodeArguments& arguments) {
  return AddOrSubtract(conversion, arguments, -1.0);
}

absl::StatusOr<Views> ConvertMul(Conversion& conversion, const NodeArguments& arguments) {
  if (HasTwoVariables(conversion, arguments)) {
    LIPSERVE_ASSIGN_OR_RETURN(View product, ProductOf(conversion, arguments));
    return OneView(std::move(product));
  }
  LIPSERVE_ASSIGN_OR_RETURN(Operands operands, OperandsOf(conversion, arguments));
  return OneView(Scaled(std::move(operands.view), operands.constant, {}));
}

absl::StatusOr<Views> ConvertDiv(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(Operands operands, OperandsOf(conversion, arguments));
  if (operands.constant_first) {
    return absl::InvalidArgumentError(
        "expected a constant divisor, got one that depends on the input; such a network has no "
        "Lipschitz bound");
  }
  for (double& number : operands.constant) {
    number = 1.0 / number;
    if (!std::isfinite(number)) {
      return absl::InvalidArgumentError("expected divisors other than 0, got 0");
    }
  }
  return OneView(Scaled(std::move(operands.view), operands.constant, {}));
}

absl::StatusOr<Views> ConvertNeg(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  return OneView(Negated(std::move(x)));
}

absl::StatusOr<Views> ConvertBatchNorm(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  std::vector<std::vector<double>> parameters;  // gamma, beta, mean, variance
  for (std::size_t input = 1; input <= 4; ++input) {
    const Tensor* const tensor = arguments.Constant(input);
    if (tensor == nullptr) {
      return absl::InvalidArgumentError("expected constant scale, bias, mean and variance");
    }
    parameters.push_back(NumbersOf(*tensor));
    if (parameters.back().size() != parameters[0].size()) {
      return absl::InvalidArgumentError("expected scale, bias, mean and variance of one length");
    }
  }
  if (arguments.Int("training_mode", 0) != 0) {
    return absl::InvalidArgumentError(
        "training_mode: expected 0, got 1; export the model in evaluation mode");
  }
  const double epsilon = arguments.Float("epsilon", 1e-5);
  std::vector<double> scale;
  std::vector<double> shift;
  for (std::size_t c = 0; c < parameters[0].size(); ++c) {
    const double variance = parameters[3][c] + epsilon;
    if (!(variance > 0.0)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "expected variances above 0 with epsilon, got ", variance, " for channel ", c));
    }
    scale.push_back(parameters[0][c] / std::sqrt(variance));
    shift.push_back(parameters[1][c] - parameters[2][c] * scale.back());
  }
  LIPSERVE_ASSIGN_OR_RETURN(View result, ScaledByChannel(std::move(x), scale, shift));
  return OneView(std::move(result));
}

absl::StatusOr<Views> ConvertScaler(Conversion& conversion, const NodeArguments& arguments) {
  LIPSERVE_ASSIGN_OR_RETURN(View x, InputView(conversion, arguments, 0));
  const std::size_t size = x.dims.size() == 1 ? x.size() : 0;
  std::vector<double> offset = arguments.Floats("offset");
  std::vector<double> scale = arguments.Floats("scale");
  if (offset.empty()) offset.assign(size, 0.0);
  if (scale.empty()) scale.assign(size, 1.0);
  if (offset.size() == 1) offset.assign(size, offset[0]);
  if (scale.size() == 1) scale.assign(size, scale[0]);
  if (size == 0 || offset.size() != size || scale.size() != size) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a vector, one offset and one scale for each number of ",
                     DimsText(x.dims), ", got ", offset.size(), " and ", scale.size()));
  }
  for (std::size_t i = 0; i < size; ++i) offset[i] *= -scale[i];
  return OneView(Scaled(std::move(x), scale, offset));
}

}  // namespace lipserve::exchange
