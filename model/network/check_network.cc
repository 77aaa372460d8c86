// SPDX-License-Identifier: Apache-2.0
// CheckNetwork of frozen_network.h.
#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "model/foundation/overloaded.h"
#include "model/foundation/status_macros.h"
#include "model/network/adjoint.h"
#include "model/network/frozen_network.h"

namespace lipserve {
namespace {

constexpr std::size_t kMaxDimension = std::size_t{1} << 22;
constexpr std::size_t kMaxScores = 2048;
constexpr std::size_t kMaxRows = std::size_t{1} << 16;

bool IsDimension(std::size_t size) { return size >= 1 && size <= kMaxDimension; }

// Whether the sizes and their product are dimensions.
bool IsSample(const SampleShape& shape) {
  return IsDimension(shape.channels) && IsDimension(shape.height) && IsDimension(shape.width) &&
         shape.channels * shape.height <= kMaxDimension && shape.size() <= kMaxDimension;
}

std::optional<std::size_t> FirstInvalidNumber(const std::vector<float>& values) {
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
  if (const auto bad = FirstInvalidNumber(values)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " number ", *bad, ": expected a normal float32 or zero, got ",
                     values[*bad], "; flush subnormals to zero before freezing"));
  }
  return absl::OkStatus();
}

absl::Status CheckBias(const std::vector<float>& bias, std::size_t outputs) {
  return bias.empty() ? absl::OkStatus() : CheckNumbers(bias, outputs, "bias");
}

absl::Status CheckDense(const DenseLayer& dense, const SampleShape& input) {
  if (dense.inputs != input.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "inputs: expected ", input.size(), " (the size before this layer), got ", dense.inputs));
  }
  if (!IsDimension(dense.outputs)) {
    return absl::InvalidArgumentError(
        absl::StrCat("outputs: expected 1 to ", kMaxDimension, ", got ", dense.outputs));
  }
  LIPSERVE_RETURN_IF_ERROR(CheckNumbers(dense.weights, dense.inputs * dense.outputs, "weights"));
  return CheckBias(dense.bias, dense.outputs);
}

// `length`: of the image along this axis.
absl::Status CheckAxis(const WindowAxis& axis, PaddingMode mode, std::size_t length,
                       const char* what) {
  for (const std::size_t number : {axis.size, axis.stride, axis.dilation}) {
    if (!IsDimension(number)) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": expected size, stride and dilation of 1 to ", kMaxDimension,
                       ", got ", axis.size, ", ", axis.stride, " and ", axis.dilation));
    }
  }
  if (axis.padding_before > kMaxDimension || axis.padding_after > kMaxDimension ||
      !IsValidPadding(axis, mode, length)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": expected paddings of at most ", kMaxDimension, ", below the image's ",
                     length, " for reflection and at most that for circular ones, got ",
                     axis.padding_before, " and ", axis.padding_after));
  }
  if (axis.outputs(length) == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": expected a window that fits into the image, got one of ",
                     axis.extent(), " positions in an image of ", length, " with its padding ",
                     axis.padding_before, " and ", axis.padding_after));
  }
  return absl::OkStatus();
}

absl::Status CheckConvolution(const ConvolutionLayer& convolution, const SampleShape& input) {
  if (convolution.input != input) {
    return absl::InvalidArgumentError(absl::StrCat("input shape: expected ", DescribeShape(input),
                                                   " (the shape before this layer), got ",
                                                   DescribeShape(convolution.input)));
  }
  const std::size_t groups = convolution.groups;
  if (!IsDimension(convolution.output_channels) || !IsDimension(groups) ||
      input.channels % groups != 0 || convolution.output_channels % groups != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "groups: expected a divisor of the ", input.channels, " input and the ",
        convolution.output_channels, " output channels (1 to ", kMaxDimension, "), got ", groups));
  }
  LIPSERVE_RETURN_IF_ERROR(
      CheckAxis(convolution.vertical, convolution.padding_mode, input.height, "vertical"));
  LIPSERVE_RETURN_IF_ERROR(
      CheckAxis(convolution.horizontal, convolution.padding_mode, input.width, "horizontal"));
  // A window fits into the padded image, so this bounds the fan-in too.
  const SampleShape padded = convolution.padded_input();
  if (!IsSample(padded)) {
    return absl::InvalidArgumentError(absl::StrCat("padding: expected at most ", kMaxDimension,
                                                   " numbers in the padded image, got ",
                                                   DescribeShape(padded)));
  }
  LIPSERVE_RETURN_IF_ERROR(CheckNumbers(
      convolution.weights, convolution.output_channels * convolution.fan_in(), "weights"));
  return CheckBias(convolution.bias, convolution.output_channels);
}

absl::Status CheckPoolWindow(std::size_t height, std::size_t width, const SampleShape& input) {
  if (height >= 1 && width >= 1 && input.height % height == 0 && input.width % width == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("window: expected one that divides the image of ",
                                                 input.height, " x ", input.width, ", got ", height,
                                                 " x ", width));
}

absl::Status CheckAveragePool(const AveragePoolLayer& pool, const SampleShape& input) {
  LIPSERVE_RETURN_IF_ERROR(CheckPoolWindow(pool.window_height, pool.window_width, input));
  if (!std::isnormal(pool.scale) || pool.scale < 0.0F) {
    return absl::InvalidArgumentError(
        absl::StrCat("scale: expected a positive, normal float32, got ", pool.scale));
  }
  return absl::OkStatus();
}

absl::Status CheckUpSampling(const UpSamplingLayer& layer, const SampleShape& input) {
  // Factors first: a product of larger ones could overflow.
  const std::size_t height = layer.window_height;
  const std::size_t width = layer.window_width;
  if (height >= 1 && width >= 1 && input.channels % height == 0 &&
      input.channels / height % width == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("window: expected one whose positions divide the ",
                                                 input.channels, " channels, got ", height, " x ",
                                                 width));
}

absl::Status CheckGroupSort(const GroupSortLayer& sort, const SampleShape& input) {
  if (sort.group_size < 2 || input.channels % sort.group_size != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("group_size: expected at least 2 and a divisor of the ", input.channels,
                     " channels, got ", sort.group_size));
  }
  return absl::OkStatus();
}

absl::Status CheckPairs(const SampleShape& input) {
  if (input.channels % 2 == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("channels: expected an even number, got ", input.channels));
}

absl::Status CheckHouseholder(const HouseholderLayer& householder, const SampleShape& input) {
  LIPSERVE_RETURN_IF_ERROR(CheckPairs(input));
  return CheckNumbers(householder.directions, input.channels, "directions");
}

absl::Status CheckConvexPotential(const ConvexPotentialLayer& layer, const SampleShape& input) {
  if (const auto* const convolution = std::get_if<ConvolutionLayer>(&layer.inner)) {
    LIPSERVE_RETURN_IF_ERROR(CheckConvolution(*convolution, input));
    const SampleShape hidden = convolution->output();
    if (KeepsPositions(*convolution) && IsSample(hidden)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "convolution: expected stride 1, zero or circular padding, and at most ", kMaxDimension,
        " numbers on as many positions as the image has, got ", DescribeLayer(*convolution)));
  }
  if (input.height != 1 || input.width != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("dense: expected a vector as input, got ", DescribeShape(input)));
  }
  return CheckDense(std::get<DenseLayer>(layer.inner), input);
}

absl::Status CheckPermutation(const PermutationLayer& layer, const SampleShape& input) {
  if (!IsSample(layer.output)) {
    return absl::InvalidArgumentError(
        absl::StrCat("output: expected [C, H, W] of at least 1 each and at most ", kMaxDimension,
                     " in all, got ", DescribeShape(layer.output)));
  }
  if (layer.sources.size() != layer.output.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("sources: expected ", layer.output.size(), " (one for each number of ",
                     DescribeShape(layer.output), "), got ", layer.sources.size()));
  }
  std::vector<bool> seen(input.size());
  for (std::size_t i = 0; i < layer.sources.size(); ++i) {
    const std::size_t source = layer.sources[i];
    if (source >= seen.size() || seen[source]) {
      return absl::InvalidArgumentError(
          absl::StrCat("source ", i, ": expected one below ", seen.size(),
                       " (the size before this layer) that stands nowhere else, got ", source));
    }
    seen[source] = true;
  }
  return absl::OkStatus();
}

absl::Status CheckClip(const ClipLayer& clip) {
  LIPSERVE_RETURN_IF_ERROR(CheckNumbers({clip.low, clip.high}, 2, "limits"));
  if (clip.low <= clip.high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("limits: expected low <= high, got ", clip.low, " and ", clip.high));
}

absl::Status CheckMaxPool(const MaxPoolLayer& pool, const SampleShape& input) {
  for (const WindowAxis& axis : {pool.vertical, pool.horizontal}) {
    if (axis.dilation != 1 || axis.padding_before >= axis.size || axis.padding_after >= axis.size) {
      return absl::InvalidArgumentError(absl::StrCat(
          "window: expected dilation 1 and paddings below the size ", axis.size, ", got dilation ",
          axis.dilation, " and paddings ", axis.padding_before, " and ", axis.padding_after));
    }
  }
  LIPSERVE_RETURN_IF_ERROR(CheckAxis(pool.vertical, PaddingMode::kZero, input.height, "vertical"));
  return CheckAxis(pool.horizontal, PaddingMode::kZero, input.width, "horizontal");
}

// Checks one layer that reads `input`, and the size of what it makes.
absl::Status CheckLayer(const FrozenLayer& layer, const SampleShape& input) {
  LIPSERVE_RETURN_IF_ERROR(std::visit(
      Overloaded{
          [](const FlattenLayer&) { return absl::OkStatus(); },
          [&](const DenseLayer& dense) { return CheckDense(dense, input); },
          [&](const ConvolutionLayer& convolution) { return CheckConvolution(convolution, input); },
          [&](const AveragePoolLayer& pool) { return CheckAveragePool(pool, input); },
          [&](const L2NormPoolLayer& pool) {
            return CheckPoolWindow(pool.window_height, pool.window_width, input);
          },
          [&](const GroupSortLayer& sort) { return CheckGroupSort(sort, input); },
          [](const AbsLayer&) { return absl::OkStatus(); },
          [&](const UpSamplingLayer& up) { return CheckUpSampling(up, input); },
          [&](const MaxMinLayer&) { return CheckPairs(input); },
          [](const ConcatenatedReluLayer&) { return absl::OkStatus(); },
          [&](const PReluLayer& prelu) {
            return CheckNumbers(prelu.slopes, input.channels, "slopes");
          },
          [&](const HouseholderLayer& householder) { return CheckHouseholder(householder, input); },
          [&](const ConvexPotentialLayer& potential) {
            return CheckConvexPotential(potential, input);
          },
          [&](const PermutationLayer& permutation) { return CheckPermutation(permutation, input); },
          [](const SumLayer&) { return absl::OkStatus(); },  // CheckValues
          [](const ClipLayer& clip) { return CheckClip(clip); },
          [&](const MaxPoolLayer& pool) { return CheckMaxPool(pool, input); },
      },
      layer));
  const SampleShape output = OutputShape(layer, input);
  if (IsSample(output)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("output: expected at most ", kMaxDimension,
                                                 " numbers, got ", DescribeShape(output)));
}

// The values that layer `layer` reads: earlier ones, of one shape if it is a sum. Marks them in
// `is_read`.
absl::Status CheckValues(const FrozenNetwork& network, std::size_t layer,
                         const std::vector<SampleShape>& shapes, std::vector<bool>& is_read) {
  const std::size_t input = network.InputOf(layer);
  if (input > layer) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input: expected a value before this layer's, at most ", layer, ", got ", input));
  }
  is_read[input] = true;
  const auto* const sum = std::get_if<SumLayer>(&network.layers[layer]);
  if (sum == nullptr) return absl::OkStatus();
  if (sum->other > layer) {
    return absl::InvalidArgumentError(absl::StrCat(
        "other: expected a value before this layer's, at most ", layer, ", got ", sum->other));
  }
  is_read[sum->other] = true;
  if (shapes[sum->other] == shapes[input]) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("other: expected a value of shape ",
                                                 DescribeShape(shapes[input]), ", got ",
                                                 DescribeShape(shapes[sum->other])));
}

absl::Status CheckLayers(const FrozenNetwork& network) {
  std::vector<SampleShape> shapes = {network.input_shape};
  std::vector<bool> is_read(network.layers.size() + 1);
  is_read.back() = true;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const FrozenLayer& layer = network.layers[i];
    absl::Status status = CheckValues(network, i, shapes, is_read);
    const SampleShape input = shapes[std::min(network.InputOf(i), i)];
    if (status.ok()) status = CheckLayer(layer, input);
    if (!status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("layer ", i, " (", DescribeLayer(layer),
                                                     "): ", std::string(status.message())));
    }
    shapes.push_back(OutputShape(layer, input));
  }
  for (std::size_t value = 0; value < is_read.size(); ++value) {
    if (is_read[value]) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "inputs: expected a layer that reads value ", value,
        value == 0 ? " (the input)" : absl::StrCat(" (the output of layer ", value - 1, ")"),
        ", got none; leave out what no score depends on"));
  }
  return absl::OkStatus();
}

absl::Status CheckInputs(const FrozenNetwork& network) {
  if (network.inputs.empty()) return absl::OkStatus();
  if (network.inputs.size() != network.layers.size()) {
    return absl::InvalidArgumentError(absl::StrCat("inputs: expected none, or one for each of ",
                                                   network.layers.size(), " layers, got ",
                                                   network.inputs.size()));
  }
  for (std::size_t i = 0; i < network.inputs.size(); ++i) {
    if (network.inputs[i] != i) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "inputs: expected none where each layer reads the one before it, got those numbers");
}

// What the rows of the last layer score. Requires: it is dense.
absl::Status CheckScores(const FrozenNetwork& network) {
  const std::size_t rows = NumRows(network);
  const std::size_t prototypes = network.prototypes_per_class;
  if (prototypes == 0 || rows % prototypes != 0 || (prototypes > 1 && rows / prototypes < 2)) {
    return absl::InvalidArgumentError(
        absl::StrCat("prototypes_per_class: expected 1, or a number that divides the ", rows,
                     " outputs of the last layer into at least two classes, got ", prototypes));
  }
  if (rows > kMaxRows) {
    return absl::InvalidArgumentError(absl::StrCat("layers: expected at most ", kMaxRows,
                                                   " outputs of the last layer, got ", rows));
  }
  if (NumScores(network) > kMaxScores) {
    return absl::InvalidArgumentError(absl::StrCat("layers: expected at most ", kMaxScores,
                                                   " scores, got ", NumScores(network),
                                                   "; the proof compares every pair of classes"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckNetwork(const FrozenNetwork& network) {
  if (!IsSample(network.input_shape)) {
    return absl::InvalidArgumentError(
        absl::StrCat("input shape: expected [C, H, W] of at least 1 each and at most ",
                     kMaxDimension, " in all, got ", DescribeShape(network.input_shape)));
  }
  if (network.layers.size() > kMaxLayers) {
    return absl::InvalidArgumentError(
        absl::StrCat("layers: expected at most ", kMaxLayers, ", got ", network.layers.size()));
  }
  LIPSERVE_RETURN_IF_ERROR(CheckInputs(network));
  LIPSERVE_RETURN_IF_ERROR(CheckLayers(network));
  if (network.layers.empty() || !std::holds_alternative<DenseLayer>(network.layers.back())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "layers: expected the last to be dense, got ",
        network.layers.empty() ? "no layer at all" : DescribeLayer(network.layers.back())));
  }
  return CheckScores(network);
}

}  // namespace lipserve
