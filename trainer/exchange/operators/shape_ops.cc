// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/operators/shape_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lipserve::exchange {
namespace {

// Operators that give an array another shape leave its numbers alone.
void CopyNumbers(OperatorCall& call) {
  Tensor& result = call.results()[0];
  result.type = call.tensor(0)->type;
  result.values = call.tensor(0)->values;
}

void InferSame(OperatorCall& call) { call.Output(call.type(0), call.dims(0)); }

// How many elements the input has, in text for an error.
void CheckSameCount(OperatorCall& call, const Dims& wanted) {
  std::int64_t count = 1;
  for (const std::int64_t dim : wanted) {
    if (!call.Check(
            dim >= 0 && (dim == 0 || count <= std::numeric_limits<std::int64_t>::max() / dim),
            "expected a shape of dimensions from 0 on, got ", DimsText(wanted))) {
      return;
    }
    count *= dim;
  }
  call.Check(ToSize(count) == NumElements(call.dims(0)), "expected a shape of ",
             NumElements(call.dims(0)), " elements for an input of ", DimsText(call.dims(0)),
             ", got ", DimsText(wanted), " of ", count, ": export the model again");
}

void InferReshape(OperatorCall& call) {
  Dims wanted = call.IntInput(1);
  const bool allows_zero = call.Int("allowzero", 0) != 0;
  const Dims& dims = call.dims(0);
  std::int64_t open = -1;
  std::int64_t known = 1;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == 0 && !allows_zero) {
      if (!call.Check(i < dims.size(), "expected a shape that copies dimensions of ",
                      DimsText(dims), ", got ", DimsText(wanted))) {
        return;
      }
      wanted[i] = dims[i];
    }
    if (wanted[i] == -1) {
      if (!call.Check(open < 0, "expected at most one -1, got shape ", DimsText(wanted))) return;
      open = ToDim(i);
    } else if (!call.Check(wanted[i] >= 0 &&
                               (wanted[i] == 0 ||
                                known <= std::numeric_limits<std::int64_t>::max() / wanted[i]),
                           "expected a shape of dimensions from 0 on, got ", DimsText(wanted))) {
      return;
    } else {
      known *= wanted[i];
    }
  }
  if (open >= 0 && known > 0) wanted[ToSize(open)] = ToDim(NumElements(dims)) / known;
  CheckSameCount(call, wanted);
  call.Output(call.type(0), std::move(wanted));
}

void InferFlatten(OperatorCall& call) {
  const std::int64_t rank = ToDim(call.rank(0));
  std::int64_t axis = call.Int("axis", 1);
  if (!call.Check(axis >= -rank && axis <= rank, "expected an axis in [", -rank, ", ", rank,
                  "], got ", axis)) {
    return;
  }
  if (axis < 0) axis += rank;
  const Dims& dims = call.dims(0);
  call.Output(call.type(0),
              {Product(dims, 0, ToSize(axis)), Product(dims, ToSize(axis), dims.size())});
}

// From opset 13 on, axes are an input.
Dims AxesOf(OperatorCall& call) {
  constexpr std::int64_t kAxesAreAnInput = 13;
  if (call.opset() < kAxesAreAnInput) return call.Ints("axes", {});
  return call.Has(1) ? call.IntInput(1) : Dims{};
}

void InferSqueeze(OperatorCall& call) {
  const Dims given = AxesOf(call);
  const std::vector<std::size_t> axes = call.Axes(given, call.rank(0));
  Dims dims;
  for (std::size_t i = 0; call.ok() && i < call.rank(0); ++i) {
    const std::int64_t dim = call.dims(0)[i];
    const bool is_named = std::find(axes.begin(), axes.end(), i) != axes.end();
    call.Check(!is_named || dim == 1, "expected dimension 1 at axis ", i, ", got ",
               DimsText(call.dims(0)));
    if (!is_named && !(given.empty() && dim == 1)) dims.push_back(dim);
  }
  call.Output(call.type(0), std::move(dims));
}

void InferUnsqueeze(OperatorCall& call) {
  const Dims given = AxesOf(call);
  const std::size_t rank = call.rank(0) + given.size();
  const std::vector<std::size_t> axes = call.Axes(given, rank);
  if (!call.ok()) return;
  Dims dims;
  std::size_t next = 0;
  for (std::size_t i = 0; i < rank; ++i) {
    const bool is_new = std::find(axes.begin(), axes.end(), i) != axes.end();
    dims.push_back(is_new ? 1 : call.dims(0)[next++]);
  }
  call.Output(call.type(0), std::move(dims));
}

// The axes of the input whose dimensions Shape gives.
std::pair<std::size_t, std::size_t> ShapeRange(OperatorCall& call) {
  const std::int64_t rank = ToDim(call.rank(0));
  const auto clamp = [rank](std::int64_t axis) {
    return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const std::int64_t begin = clamp(call.Int("start", 0));
  return {ToSize(begin), ToSize(std::max(begin, clamp(call.Int("end", rank))))};
}

void InferShape(OperatorCall& call) {
  const auto [begin, end] = ShapeRange(call);
  call.Output(ElementType::kInt64, {ToDim(end - begin)});
}

void ComputeShape(OperatorCall& call) {
  const std::size_t begin = ShapeRange(call).first;
  std::vector<std::int64_t>& result = call.IntegerResult(0);
  std::copy_n(call.dims(0).begin() + ToDim(begin), result.size(), result.begin());
}

void InferSize(OperatorCall& call) { call.Output(ElementType::kInt64, {}); }

void ComputeSize(OperatorCall& call) {
  call.IntegerResult(0)[0] = ToDim(NumElements(call.dims(0)));
}

// Types by the numbers of TensorProto.DataType.
enum DataType : std::int64_t { kFloat = 1, kInt32 = 6, kLong = 7, kBoolean = 9, kDouble = 11 };

void InferCast(OperatorCall& call) {
  const std::int64_t to = call.Int("to", 0);
  call.Check(to == kFloat || to == kInt32 || to == kLong || to == kBoolean || to == kDouble,
             "expected a cast to float, double, int32, int64 or bool, got type ", to,
             " of TensorProto.DataType: other types round numbers, which no certificate knows");
  call.Output(to == kFloat     ? ElementType::kFloat32
              : to == kDouble  ? ElementType::kFloat64
              : to == kBoolean ? ElementType::kBool
                               : ElementType::kInt64,
              call.dims(0));
}

void ComputeCast(OperatorCall& call) {
  const ElementType to = call.outputs()[0].type;
  if (IsInteger(to) == IsInteger(call.type(0)) && to != ElementType::kBool) {
    CopyNumbers(call);
    if (IsInteger(to)) call.results()[0].type = to;
    return;
  }
  const std::span<const double> x = call.Numbers(0);
  if (!IsInteger(to)) {
    std::copy(x.begin(), x.end(), call.NumberResult(0).begin());
    return;
  }
  constexpr double kEnd = 9.2e18;  // below 2^63
  std::transform(x.begin(), x.end(), call.IntegerResult(0).begin(), [&](double value) {
    if (to == ElementType::kBool) return std::int64_t{value != 0 ? 1 : 0};
    call.Check(std::abs(value) < kEnd, "expected a number that an integer can hold, got ", value);
    return std::abs(value) < kEnd ? static_cast<std::int64_t>(value) : 0;
  });
}

// The tensor that a Constant, or the fill of a ConstantOfShape, holds.
Tensor ConstantValue(OperatorCall& call, const Tensor& otherwise) {
  for (const auto& [name, attribute] : call.node().attributes) {
    if (const auto* tensor = std::get_if<Tensor>(&attribute)) return *tensor;
    if (const auto* number = std::get_if<float>(&attribute)) {
      return {ElementType::kFloat32, {}, std::vector<float>{*number}};
    }
    if (const auto* integer = std::get_if<std::int64_t>(&attribute)) {
      return {ElementType::kInt64, {}, Dims{*integer}};
    }
    if (const auto* numbers = std::get_if<std::vector<float>>(&attribute)) {
      return {ElementType::kFloat32, {ToDim(numbers->size())}, *numbers};
    }
    if (const auto* integers = std::get_if<Dims>(&attribute)) {
      return {ElementType::kInt64, {ToDim(integers->size())}, *integers};
    }
  }
  return otherwise;
}

void InferConstant(OperatorCall& call) {
  const Tensor none = {ElementType::kBool, {-1}, {}};
  Tensor value = ConstantValue(call, none);
  call.Check(value.dims != none.dims, "expected a tensor, numbers or integers, got none of them");
  call.Output(value.type, std::move(value.dims));
}

void ComputeConstant(OperatorCall& call) { call.results()[0] = ConstantValue(call, {}); }

const Tensor& ZeroFill() {
  static const auto& zero = *new Tensor{ElementType::kFloat32, {1}, std::vector<float>{0}};
  return zero;
}

void InferConstantOfShape(OperatorCall& call) {
  const Tensor fill = ConstantValue(call, ZeroFill());
  call.Check(NumElements(fill.dims) == 1, "expected one number as value, got shape ",
             DimsText(fill.dims));
  call.Output(fill.type, call.IntInput(0));
}

void ComputeConstantOfShape(OperatorCall& call) {
  const Tensor fill = ConstantValue(call, ZeroFill());
  Tensor& result = call.results()[0];
  result.type = fill.type;
  std::visit(
      [&](const auto& value) {
        using Values = std::decay_t<decltype(value)>;
        result.values = Values(NumElements(result.dims), value[0]);
      },
      fill.values);
}

void InferDropout(OperatorCall& call) {
  const bool is_training =
      call.Has(2) && call.Check(call.tensor(2) != nullptr, "expected a constant training_mode") &&
      IsInteger(call.type(2)) && !call.Integers(2).empty() && call.Integers(2)[0] != 0;
  call.Check(!is_training,
             "expected training_mode false, got true, which is random: export the model in "
             "evaluation mode");
  call.Output(call.type(0), call.dims(0));
  call.Output(ElementType::kBool, call.dims(0));
}

void ComputeDropout(OperatorCall& call) {
  CopyNumbers(call);
  call.results()[1].values = Dims(NumElements(call.dims(0)), 1);
}

void InferExpand(OperatorCall& call) {
  Dims wanted = call.IntInput(1);
  const Dims& dims = call.dims(0);
  if (wanted.size() < dims.size()) wanted.insert(wanted.begin(), dims.size() - wanted.size(), 1);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    std::int64_t& dim = wanted[wanted.size() - dims.size() + i];
    call.Check(dim == dims[i] || dim == 1 || dims[i] == 1, "expected a shape that fits ",
               DimsText(dims), ", got ", DimsText(wanted));
    if (dim == 1) dim = dims[i];
  }
  call.Output(call.type(0), std::move(wanted));
}

void ComputeExpand(OperatorCall& call) {
  const Dims& wanted = call.output_dims();
  call.CopyElements(0, StridedWalk(wanted, BroadcastStrides(call.dims(0), wanted)));
}

}  // namespace

std::map<std::string, Operator> ShapeOperators() {
  return {
      {"Identity", {1, 1, InferSame, CopyNumbers}},
      // Its maps become the array of their numbers.
      {"ai.onnx.ml.ZipMap", {1, 1, InferSame, CopyNumbers}},
      {"Reshape", {2, 2, InferReshape, CopyNumbers}},
      {"Flatten", {1, 1, InferFlatten, CopyNumbers}},
      {"Squeeze", {1, 2, InferSqueeze, CopyNumbers}},
      {"Unsqueeze", {1, 2, InferUnsqueeze, CopyNumbers}},
      {"Shape", {1, 1, InferShape, ComputeShape}},
      {"Size", {1, 1, InferSize, ComputeSize}},
      {"Cast", {1, 1, InferCast, ComputeCast}},
      {"Constant", {0, 0, InferConstant, ComputeConstant}},
      {"ConstantOfShape", {1, 1, InferConstantOfShape, ComputeConstantOfShape}},
      {"Dropout", {1, 3, InferDropout, ComputeDropout}},
      {"Expand", {2, 2, InferExpand, ComputeExpand}},
  };
}

}  // namespace lipserve::exchange
