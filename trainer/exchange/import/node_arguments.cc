// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/node_arguments.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"

namespace lipserve::exchange {
namespace {

template <typename Type>
const Type* AttributeOf(const Node& node, const char* name) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? nullptr : std::get_if<Type>(&found->second);
}

}  // namespace

absl::Status NodeError(const Graph& graph, const Node& node, absl::string_view message) {
  return absl::InvalidArgumentError(
      absl::StrCat(graph.file, ": ", node.name, " (", node.op, "): ", message));
}

std::vector<double> NumbersOf(const Tensor& tensor) {
  return std::visit(
      [](const auto& values) { return std::vector<double>(values.begin(), values.end()); },
      tensor.values);
}

std::vector<std::int64_t> NodeArguments::SampleDims(std::size_t output) const {
  const std::vector<std::int64_t>& dims = graph_.values[node_.outputs[output]].dims;
  return {dims.begin() + std::min<std::ptrdiff_t>(1, std::ssize(dims)), dims.end()};
}

std::int64_t NodeArguments::Int(const char* name, std::int64_t otherwise) const {
  const auto* const value = AttributeOf<std::int64_t>(node_, name);
  return value == nullptr ? otherwise : *value;
}

double NodeArguments::Float(const char* name, double otherwise) const {
  const auto* const value = AttributeOf<float>(node_, name);
  return value == nullptr ? otherwise : static_cast<double>(*value);
}

std::string NodeArguments::Text(const char* name, const char* otherwise) const {
  const auto* const value = AttributeOf<std::string>(node_, name);
  return value == nullptr ? otherwise : *value;
}

std::vector<std::int64_t> NodeArguments::Ints(const char* name) const {
  const auto* const value = AttributeOf<std::vector<std::int64_t>>(node_, name);
  return value == nullptr ? std::vector<std::int64_t>() : *value;
}

std::vector<double> NodeArguments::Floats(const char* name) const {
  const auto* const value = AttributeOf<std::vector<float>>(node_, name);
  return value == nullptr ? std::vector<double>()
                          : std::vector<double>(value->begin(), value->end());
}

const Tensor* NodeArguments::Constant(std::size_t input) const {
  if (!HasInput(input)) return nullptr;
  const Value& value = graph_.values[node_.inputs[input]];
  return value.is_constant ? &value.constant : nullptr;
}

absl::StatusOr<std::optional<std::vector<std::int64_t>>> NodeArguments::IntsOf(
    const char* name, std::size_t input) const {
  if (const auto* const value = AttributeOf<std::vector<std::int64_t>>(node_, name)) {
    return std::optional(*value);
  }
  if (!HasInput(input)) return std::nullopt;
  const Tensor* const constant = Constant(input);
  const auto* const ints =
      constant == nullptr ? nullptr : std::get_if<std::vector<std::int64_t>>(&constant->values);
  if (ints == nullptr) {
    return Error(absl::StrCat("expected constant integers as ", name,
                              ", got numbers that depend on the input; export with constant ones"));
  }
  return std::optional(*ints);
}

absl::StatusOr<std::size_t> NodeArguments::SampleAxis(std::int64_t axis,
                                                      std::size_t sample_rank) const {
  const auto rank = static_cast<std::int64_t>(sample_rank) + 1;
  const std::int64_t positive = axis < 0 ? axis + rank : axis;
  if (positive >= 1 && positive < rank) return static_cast<std::size_t>(positive - 1);
  if (positive == 0) {
    return Error(
        "expected an operator on each sample alone, got one along axis 0, the batch; a proof is "
        "about one input, so leave it out of the exported model");
  }
  return Error(absl::StrCat("axis: expected ", -rank, " to ", rank - 1, ", got ", axis));
}

}  // namespace lipserve::exchange
