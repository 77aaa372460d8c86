// SPDX-License-Identifier: Apache-2.0
#include "model/network/frozen_network.h"

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "model/status_macros.h"

namespace lipserve {
namespace {

constexpr std::size_t kMaxDimension = std::size_t{1} << 22;
constexpr std::size_t kMaxScores = 2048;

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

bool IsDimension(std::size_t size) { return size >= 1 && size <= kMaxDimension; }

std::optional<std::size_t> FirstUnusable(const std::vector<float>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0.0F && !std::isnormal(values[i])) return i;
  }
  return std::nullopt;
}

absl::Status CheckNumbers(const std::vector<float>& values, std::size_t expected_size,
                          const char* what) {
  if (values.size() != expected_size) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": expected ", expected_size, " numbers, got ", values.size()));
  }
  if (const auto bad = FirstUnusable(values)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " number ", *bad, ": expected a normal float32 or zero, got ",
                     values[*bad], "; flush subnormals to zero before freezing"));
  }
  return absl::OkStatus();
}

absl::Status CheckDense(const DenseLayer& dense, std::size_t input_size) {
  if (dense.inputs != input_size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "inputs: expected ", input_size, " (the size before this layer), got ", dense.inputs));
  }
  if (!IsDimension(dense.outputs)) {
    return absl::InvalidArgumentError(
        absl::StrCat("outputs: expected 1 to ", kMaxDimension, ", got ", dense.outputs));
  }
  LIPSERVE_RETURN_IF_ERROR(CheckNumbers(dense.weights, dense.inputs * dense.outputs, "weights"));
  if (!dense.bias.empty()) {
    LIPSERVE_RETURN_IF_ERROR(CheckNumbers(dense.bias, dense.outputs, "bias"));
  }
  return absl::OkStatus();
}

absl::Status CheckGroupSort(const GroupSortLayer& sort, std::size_t input_size) {
  if (sort.group_size < 2 || input_size % sort.group_size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("group_size: expected at least 2 and a divisor of ", input_size, ", got ",
                     sort.group_size));
  }
  return absl::OkStatus();
}

// Checks one layer and advances `size` to its output size.
absl::Status CheckLayer(const FrozenLayer& layer, std::size_t& size) {
  return std::visit(Overloaded{
                        [](const FlattenLayer&) { return absl::OkStatus(); },
                        [&](const DenseLayer& dense) {
                          absl::Status status = CheckDense(dense, size);
                          size = dense.outputs;
                          return status;
                        },
                        [&](const GroupSortLayer& sort) { return CheckGroupSort(sort, size); },
                    },
                    layer);
}

}  // namespace

std::size_t NumScores(const FrozenNetwork& network) {
  return std::get<DenseLayer>(network.layers.back()).outputs;
}

std::size_t NumClasses(const FrozenNetwork& network) {
  const std::size_t scores = NumScores(network);
  return scores == 1 ? 2 : scores;
}

std::string DescribeLayer(const FrozenLayer& layer) {
  return std::visit(
      Overloaded{
          [](const FlattenLayer&) { return std::string("flatten"); },
          [](const DenseLayer& dense) {
            return absl::StrCat("dense ", dense.inputs, " -> ", dense.outputs,
                                dense.bias.empty() ? "" : " with bias");
          },
          [](const GroupSortLayer& sort) { return absl::StrCat("group sort ", sort.group_size); },
      },
      layer);
}

absl::Status CheckNetwork(const FrozenNetwork& network) {
  const SampleShape& shape = network.input_shape;
  if (!IsDimension(shape.channels) || !IsDimension(shape.height) || !IsDimension(shape.width) ||
      shape.channels * shape.height > kMaxDimension || shape.size() > kMaxDimension) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input shape: expected [C, H, W] of at least 1 each and at most ", kMaxDimension,
        " in all, got [", shape.channels, ", ", shape.height, ", ", shape.width, "]"));
  }
  std::size_t size = shape.size();
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    if (const absl::Status status = CheckLayer(network.layers[i], size); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("layer ", i, " (",
                                                     DescribeLayer(network.layers[i]),
                                                     "): ", std::string(status.message())));
    }
  }
  if (network.layers.empty() || !std::holds_alternative<DenseLayer>(network.layers.back())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "layers: expected the last to be dense, got ",
        network.layers.empty() ? "no layer at all" : DescribeLayer(network.layers.back())));
  }
  if (NumScores(network) > kMaxScores) {
    return absl::InvalidArgumentError(absl::StrCat("layers: expected at most ", kMaxScores,
                                                   " scores, got ", NumScores(network),
                                                   "; the proof compares every pair of classes"));
  }
  return absl::OkStatus();
}

}  // namespace lipserve
