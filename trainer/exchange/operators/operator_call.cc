// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/operators/operator_call.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_join.h"

namespace lipserve::exchange {

std::string DimsText(const Dims& dims) { return absl::StrCat("[", absl::StrJoin(dims, ", "), "]"); }

std::string NodeText(const Node& node) { return absl::StrCat(node.name, " (", node.op, ")"); }

template <typename T>
T OperatorCall::Get(const std::string& name, const T& otherwise, const char* kind) {
  const auto found = node_.attributes.find(name);
  if (found == node_.attributes.end()) return otherwise;
  const T* value = std::get_if<T>(&found->second);
  Check(value != nullptr, "expected ", kind, " as attribute ", name,
        ", got another type: export the model again");
  return value != nullptr ? *value : otherwise;
}

std::int64_t OperatorCall::Int(const std::string& name, std::int64_t otherwise) {
  return Get<std::int64_t>(name, otherwise, "an integer");
}

double OperatorCall::Float(const std::string& name, float otherwise) {
  return static_cast<double>(Get<float>(name, otherwise, "a number"));
}

std::string OperatorCall::Text(const std::string& name, const std::string& otherwise) {
  return Get<std::string>(name, otherwise, "a string");
}

Dims OperatorCall::Ints(const std::string& name, const Dims& otherwise) {
  return Get<Dims>(name, otherwise, "integers");
}

std::vector<float> OperatorCall::Floats(const std::string& name) {
  return Get<std::vector<float>>(name, {}, "numbers");
}

std::size_t OperatorCall::Axis(std::int64_t axis, std::size_t rank) {
  const std::int64_t end = ToDim(rank);
  if (!Check(axis >= -end && axis < end, "expected an axis in [", -end, ", ", end, "), got ",
             axis)) {
    return 0;
  }
  return ToSize(axis < 0 ? axis + end : axis);
}

std::vector<std::size_t> OperatorCall::Axes(const Dims& axes, std::size_t rank) {
  std::vector<std::size_t> result;
  for (const std::int64_t axis : axes) {
    const std::size_t counted = Axis(axis, rank);
    Check(std::find(result.begin(), result.end(), counted) == result.end(),
          "expected each axis once, got ", DimsText(axes));
    if (!ok()) return {};
    result.push_back(counted);
  }
  return result;
}

Dims OperatorCall::IntInput(std::size_t input) {
  const Tensor* known = tensor(input);
  if (!Check(IsInteger(type(input)), "expected integers as input ", input, ", got numbers") ||
      !Check(known != nullptr, "expected input ", input,
             " to depend on constants and shapes only, got one that depends on the image: export "
             "the model with fixed shapes")) {
    return {};
  }
  return std::get<Dims>(known->values);
}

std::span<const double> OperatorCall::Numbers(std::size_t input) {
  const Tensor* known = tensor(input);
  assert(known != nullptr);
  if (const auto* numbers = std::get_if<std::vector<double>>(&known->values)) return *numbers;
  return std::visit(
      [this](const auto& values) -> std::span<const double> {
        return widened_.emplace_back(values.begin(), values.end());
      },
      known->values);
}

std::span<const std::int64_t> OperatorCall::Integers(std::size_t input) const {
  assert(tensor(input) != nullptr);
  return std::get<Dims>(tensor(input)->values);
}

std::vector<double>& OperatorCall::NumberResult(std::size_t output) {
  Tensor& tensor = results_[output];
  tensor.type = ElementType::kFloat64;
  return tensor.values.emplace<std::vector<double>>(NumElements(tensor.dims));
}

std::vector<std::int64_t>& OperatorCall::IntegerResult(std::size_t output) {
  Tensor& tensor = results_[output];
  tensor.type = outputs_[output].type;
  return tensor.values.emplace<Dims>(NumElements(tensor.dims));
}

void OperatorCall::CopyElements(std::size_t output, StridedWalk walk) {
  Tensor& result = results_[output];
  result.type = tensor(0)->type;
  std::visit(
      [&](const auto& values) {
        auto copy = std::decay_t<decltype(values)>(NumElements(result.dims));
        for (auto& element : copy) {
          element = values[walk.offset()];
          walk.Next();
        }
        result.values = std::move(copy);
      },
      tensor(0)->values);
}

}  // namespace lipserve::exchange
