// SPDX-License-Identifier: Apache-2.0
#include "model/network/frozen_network.h"

#include "absl/strings/str_cat.h"
#include "model/foundation/overloaded.h"

namespace lipserve {
namespace {

std::string AxesText(const WindowAxis& y, const WindowAxis& x) {
  std::string text = absl::StrCat(y.size, "x", x.size);
  if (y.stride != 1 || x.stride != 1) absl::StrAppend(&text, ", stride ", y.stride, "x", x.stride);
  if (y.dilation != 1 || x.dilation != 1) {
    absl::StrAppend(&text, ", dilation ", y.dilation, "x", x.dilation);
  }
  return text;
}

const char* PaddingText(PaddingMode mode) {
  switch (mode) {
    case PaddingMode::kZero:
      return "zero";
    case PaddingMode::kReflect:
      return "reflect";
    case PaddingMode::kReplicate:
      return "replicate";
    case PaddingMode::kCircular:
      return "circular";
  }
  return "unknown";
}

std::string Describe(const DenseLayer& dense) {
  return absl::StrCat("dense ", dense.inputs, " -> ", dense.outputs,
                      dense.bias.empty() ? "" : " with bias");
}

std::string Describe(const ConvolutionLayer& convolution) {
  const WindowAxis& y = convolution.vertical;
  const WindowAxis& x = convolution.horizontal;
  std::string text = absl::StrCat("convolution ", DescribeShape(convolution.input), " -> ",
                                  DescribeShape(convolution.output()), ", ", AxesText(y, x));
  if (y.padding_before + y.padding_after + x.padding_before + x.padding_after != 0) {
    absl::StrAppend(&text, ", ", PaddingText(convolution.padding_mode), " padding");
  }
  if (convolution.groups != 1) absl::StrAppend(&text, ", ", convolution.groups, " groups");
  if (!convolution.bias.empty()) absl::StrAppend(&text, " with bias");
  return text;
}

std::string Describe(const MaxPoolLayer& pool) {
  std::string text = absl::StrCat("max pool ", AxesText(pool.vertical, pool.horizontal));
  const std::size_t padding = pool.vertical.padding_before + pool.vertical.padding_after +
                              pool.horizontal.padding_before + pool.horizontal.padding_after;
  if (padding != 0) absl::StrAppend(&text, ", padded");
  return text;
}

}  // namespace

std::string DescribeShape(const SampleShape& shape) {
  return absl::StrCat("[", shape.channels, ", ", shape.height, ", ", shape.width, "]");
}

bool OnlyMovesNumbers(const FrozenLayer& layer) {
  return std::holds_alternative<FlattenLayer>(layer) ||
         std::holds_alternative<GroupSortLayer>(layer) || std::holds_alternative<AbsLayer>(layer) ||
         std::holds_alternative<MaxMinLayer>(layer) ||
         std::holds_alternative<UpSamplingLayer>(layer) ||
         std::holds_alternative<ConcatenatedReluLayer>(layer) ||
         std::holds_alternative<PermutationLayer>(layer) ||
         (std::holds_alternative<MaxPoolLayer>(layer) &&
          std::get<MaxPoolLayer>(layer).IsDisjoint());
}

SampleShape OutputShape(const FrozenLayer& layer, const SampleShape& input) {
  const auto pooled = [&](const auto& pool) {
    return SampleShape{.channels = input.channels,
                       .height = input.height / pool.window_height,
                       .width = input.width / pool.window_width};
  };
  return std::visit(Overloaded{
                        [&](const FlattenLayer&) {
                          return SampleShape{input.size(), 1, 1};
                        },
                        [](const DenseLayer& dense) {
                          return SampleShape{dense.outputs, 1, 1};
                        },
                        [](const ConvolutionLayer& convolution) { return convolution.output(); },
                        [&](const AveragePoolLayer& pool) { return pooled(pool); },
                        [&](const L2NormPoolLayer& pool) { return pooled(pool); },
                        [&](const GroupSortLayer&) { return input; },
                        [&](const AbsLayer&) { return input; },
                        [&](const UpSamplingLayer& up) {
                          return SampleShape{input.channels / (up.window_height * up.window_width),
                                             input.height * up.window_height,
                                             input.width * up.window_width};
                        },
                        [&](const MaxMinLayer&) { return input; },
                        [&](const ConcatenatedReluLayer&) {
                          return SampleShape{2 * input.channels, input.height, input.width};
                        },
                        [&](const PReluLayer&) { return input; },
                        [&](const HouseholderLayer&) { return input; },
                        [&](const ConvexPotentialLayer&) { return input; },
                        [](const PermutationLayer& permutation) { return permutation.output; },
                        [&](const SumLayer&) { return input; },
                        [&](const ClipLayer&) { return input; },
                        [&](const MaxPoolLayer& pool) {
                          return SampleShape{.channels = input.channels,
                                             .height = pool.vertical.outputs(input.height),
                                             .width = pool.horizontal.outputs(input.width)};
                        },
                    },
                    layer);
}

std::vector<SampleShape> ValueShapes(const FrozenNetwork& network) {
  std::vector<SampleShape> shapes = {network.input_shape};
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    shapes.push_back(OutputShape(network.layers[i], shapes[network.InputOf(i)]));
  }
  return shapes;
}

std::vector<std::size_t> LastReaders(const FrozenNetwork& network) {
  std::vector<std::size_t> readers(network.layers.size());
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    readers[network.InputOf(i)] = i;
    const auto* const sum = std::get_if<SumLayer>(&network.layers[i]);
    if (sum != nullptr) readers[sum->other] = i;
  }
  return readers;
}

std::size_t NumRows(const FrozenNetwork& network) {
  return std::get<DenseLayer>(network.layers.back()).outputs;
}

std::size_t NumScores(const FrozenNetwork& network) {
  return NumRows(network) / network.prototypes_per_class;
}

std::size_t NumClasses(const FrozenNetwork& network) {
  const std::size_t scores = NumScores(network);
  return scores == 1 ? 2 : scores;
}

std::string DescribeLayer(const FrozenLayer& layer) {
  return std::visit(
      Overloaded{
          [](const FlattenLayer&) { return std::string("flatten"); },
          [](const DenseLayer& dense) { return Describe(dense); },
          [](const ConvolutionLayer& convolution) { return Describe(convolution); },
          [](const AveragePoolLayer& pool) {
            return absl::StrCat("average pool ", pool.window_height, "x", pool.window_width,
                                ", scale ", pool.scale);
          },
          [](const L2NormPoolLayer& pool) {
            return absl::StrCat("L2-norm pool ", pool.window_height, "x", pool.window_width);
          },
          [](const GroupSortLayer& sort) { return absl::StrCat("group sort ", sort.group_size); },
          [](const AbsLayer&) { return std::string("absolute value"); },
          [](const UpSamplingLayer& up) {
            return absl::StrCat("up-sampling ", up.window_height, "x", up.window_width);
          },
          [](const MaxMinLayer&) { return std::string("max-min"); },
          [](const ConcatenatedReluLayer&) { return std::string("concatenated ReLU"); },
          [](const PReluLayer&) { return std::string("PReLU"); },
          [](const HouseholderLayer&) { return std::string("Householder"); },
          [](const ConvexPotentialLayer& potential) {
            return absl::StrCat(
                "convex potential of ",
                std::visit([](const auto& inner) { return Describe(inner); }, potential.inner));
          },
          [](const PermutationLayer& permutation) {
            return absl::StrCat("permutation to ", DescribeShape(permutation.output));
          },
          [](const SumLayer& sum) { return absl::StrCat("sum with value ", sum.other); },
          [](const ClipLayer& clip) {
            return absl::StrCat("clip to [", clip.low, ", ", clip.high, "]");
          },
          [](const MaxPoolLayer& pool) { return Describe(pool); },
      },
      layer);
}

std::string DescribeLayerOf(const FrozenNetwork& network, std::size_t layer) {
  const std::size_t input = network.InputOf(layer);
  return absl::StrCat(DescribeLayer(network.layers[layer]),
                      input == layer ? "" : absl::StrCat(", reads value ", input));
}

}  // namespace lipserve
