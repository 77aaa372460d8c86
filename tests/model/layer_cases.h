// SPDX-License-Identifier: Apache-2.0
// A case of every kind of layer, and convolutions of random geometry.
#ifndef TESTS_MODEL_LAYER_CASES_H_
#define TESTS_MODEL_LAYER_CASES_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/network/frozen_network.h"
#include "tests/model/network_fixtures.h"

namespace lipserve {

struct LayerCase {
  std::string name;
  SampleShape input;
  FrozenLayer layer;
};

inline WindowAxis Axis(std::size_t size, std::size_t stride, std::size_t dilation,
                       std::size_t before, std::size_t after) {
  return {.size = size,
          .stride = stride,
          .dilation = dilation,
          .padding_before = before,
          .padding_after = after};
}

inline LayerCase Convolution(const std::string& name, const SampleShape& input, std::size_t outputs,
                             std::size_t groups, const WindowAxis& vertical,
                             const WindowAxis& horizontal, PaddingMode mode) {
  std::mt19937_64 random(name.size());
  return {name, input,
          RandomConvolution(random,
                            {.input = input,
                             .output_channels = outputs,
                             .groups = groups,
                             .vertical = vertical,
                             .horizontal = horizontal,
                             .padding_mode = mode},
                            1.0)};
}

inline LayerCase Potential(const std::string& name, const SampleShape& input, std::size_t outputs,
                           std::size_t groups, const WindowAxis& axis, PaddingMode mode) {
  LayerCase test = Convolution(name, input, outputs, groups, axis, axis, mode);
  test.layer = ConvexPotentialLayer{std::get<ConvolutionLayer>(test.layer)};
  return test;
}

// A convolution that CheckNetwork accepts, of random geometry.
inline LayerCase RandomCase(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto pick = [&](std::size_t least, std::size_t most) {
    return least + random() % (most - least + 1);
  };
  while (true) {
    const std::size_t groups = pick(1, 3);
    const SampleShape input{groups * pick(1, 4), pick(1, 9), pick(1, 9)};
    const auto axis = [&] {
      return Axis(pick(1, 5), pick(1, 3), pick(1, 2), pick(0, 4), pick(0, 4));
    };
    LayerCase result = Convolution("random" + std::to_string(seed), input, groups * pick(1, 12),
                                   groups, axis(), axis(), static_cast<PaddingMode>(pick(0, 3)));
    const auto& layer = std::get<ConvolutionLayer>(result.layer);
    if (IsValidPadding(layer.vertical, layer.padding_mode, input.height) &&
        IsValidPadding(layer.horizontal, layer.padding_mode, input.width) &&
        layer.output().size() != 0 && layer.output().size() <= 500) {
      return result;
    }
  }
}

inline std::vector<LayerCase> LayerCases() {
  const WindowAxis three = Axis(3, 1, 1, 1, 1);
  std::vector<LayerCase> cases = {
      Convolution("first", {1, 7, 7}, 16, 1, three, three, PaddingMode::kZero),
      Convolution("stride2", {16, 8, 8}, 32, 1, Axis(3, 2, 1, 1, 0), Axis(3, 2, 1, 1, 0),
                  PaddingMode::kZero),
      Convolution("stride3", {4, 9, 10}, 6, 1, Axis(2, 3, 1, 0, 0), Axis(4, 3, 1, 1, 1),
                  PaddingMode::kReflect),
      Convolution("dilation2", {8, 7, 7}, 8, 1, Axis(3, 1, 2, 2, 2), Axis(3, 1, 2, 2, 2),
                  PaddingMode::kCircular),
      Convolution("groups2", {8, 5, 5}, 12, 2, three, three, PaddingMode::kReplicate),
      Convolution("depthwise", {16, 5, 5}, 16, 16, three, three, PaddingMode::kZero),
      Convolution("pointwise", {24, 4, 4}, 40, 1, Axis(1, 1, 1, 0, 0), Axis(1, 1, 1, 0, 0),
                  PaddingMode::kZero),
      Convolution("kernelOfTheImage", {3, 6, 6}, 10, 1, Axis(6, 1, 1, 0, 0), Axis(6, 1, 1, 0, 0),
                  PaddingMode::kZero),
      Convolution("kernelBeyondTheImage", {2, 3, 4}, 5, 1, Axis(7, 1, 1, 4, 4), Axis(5, 1, 1, 6, 6),
                  PaddingMode::kZero),
      Convolution("circularOfTheImage", {2, 4, 4}, 4, 1, Axis(5, 1, 1, 4, 4), Axis(5, 1, 1, 4, 4),
                  PaddingMode::kCircular),
      {"dense",
       {5, 4, 3},
       [] {
         std::mt19937_64 random(1);
         return RandomDense(random, 60, 33, 1.0);
       }()},
      {"averagePool",
       {5, 6, 6},
       AveragePoolLayer{.window_height = 2, .window_width = 3, .scale = 0.3F}},
      {"averagePoolOfAll",
       {40, 4, 6},
       AveragePoolLayer{.window_height = 4, .window_width = 6, .scale = 0.2F}},
      {"l2NormPool", {5, 6, 6}, L2NormPoolLayer{.window_height = 3, .window_width = 2}},
      {"l2NormPoolOfOne", {33, 2, 2}, L2NormPoolLayer{.window_height = 1, .window_width = 1}},
      {"groupSort2", {6, 4, 5}, GroupSortLayer{.group_size = 2}},
      {"groupSort3", {6, 4, 5}, GroupSortLayer{.group_size = 3}},
      {"fullSort", {8, 3, 3}, GroupSortLayer{.group_size = 8}},
      Potential("potential", {6, 5, 4}, 10, 2, three, PaddingMode::kZero),
      Potential("potentialOfACircle", {3, 4, 5}, 7, 1, Axis(3, 1, 2, 1, 3), PaddingMode::kCircular),
      Potential("potentialOfOneTap", {8, 3, 3}, 5, 1, Axis(1, 1, 1, 0, 0), PaddingMode::kZero),
      {"potentialOfAVector",
       {23, 1, 1},
       [] {
         std::mt19937_64 random(2);
         return ConvexPotentialLayer{RandomDense(random, 23, 40, 1.0)};
       }()},
      {"upSampling", {12, 3, 4}, UpSamplingLayer{.window_height = 3, .window_width = 2}},
      {"upSamplingOfAVector", {6, 1, 1}, UpSamplingLayer{.window_height = 2, .window_width = 3}},
      {"abs", {5, 3, 4}, AbsLayer{}},
      {"maxMin", {6, 3, 4}, MaxMinLayer{}},
      {"maxMinOfAVector", {34, 1, 1}, MaxMinLayer{}},
      {"concatenatedRelu", {5, 3, 4}, ConcatenatedReluLayer{}},
      {"prelu", {5, 3, 4}, PReluLayer{{0.3F, -0.7F, 1.0F, 0.0F, -2.5F}}},
      {"preluOfAVector", {3, 1, 1}, PReluLayer{{0.3F, 0.1F, -1.0F}}},
      {"householder", {6, 3, 4}, HouseholderLayer{{1.3F, 0.4F, -0.9F, 1.1F, 0.2F, 3.0F}}},
      {"permutation",
       {2, 3, 4},
       [] {
         PermutationLayer layer{.output = {.channels = 5, .height = 2, .width = 2}};
         for (std::uint32_t k = 0; k < 20; ++k) layer.sources.push_back((k * 7 + 2) % 24);
         return layer;
       }()},
      {"sumOfAValueWithItself", {5, 3, 4}, SumLayer{.other = 0}},
      {"clip", {5, 3, 4}, ClipLayer{.low = -0.5F, .high = 0.25F}},
      {"clipAboveZero", {3, 1, 1}, ClipLayer{.low = 0.5F, .high = 0.5F}},
      {"maxPool",
       {5, 6, 6},
       MaxPoolLayer{.vertical = Axis(2, 2, 1, 0, 0), .horizontal = Axis(3, 3, 1, 0, 0)}},
      {"maxPoolThatSkips",
       {2, 7, 8},
       MaxPoolLayer{.vertical = Axis(2, 3, 1, 0, 0), .horizontal = Axis(1, 2, 1, 0, 0)}},
      {"maxPoolThatOverlaps",
       {3, 7, 6},
       MaxPoolLayer{.vertical = Axis(3, 2, 1, 1, 1), .horizontal = Axis(3, 1, 1, 2, 0)}},
      {"householderOfAVector", {2, 1, 1}, HouseholderLayer{{-1.0F, 1.0F}}},
  };
  for (std::uint64_t seed = 1; seed <= 30; ++seed) cases.push_back(RandomCase(seed));
  return cases;
}

// The layer, and an identity matrix that hands on what it computes: products with 1 and 0, and sums
// with 0, are exact.
inline FrozenNetwork NetworkOf(const LayerCase& test) {
  FrozenNetwork network;
  network.input_shape = test.input;
  network.layers.push_back(test.layer);
  network.layers.emplace_back(FlattenLayer{});
  const std::size_t size = OutputShape(test.layer, test.input).size();
  DenseLayer identity{.inputs = size,
                      .outputs = size,
                      .weights = std::vector<float>(size * size),
                      .bias = {},
                      .claimed_operator_norm_bound = 1.0};
  for (std::size_t i = 0; i < size; ++i) identity.weights[i * size + i] = 1.0F;
  network.layers.emplace_back(std::move(identity));
  EXPECT_TRUE(CheckNetwork(network).ok()) << CheckNetwork(network);
  return network;
}

}  // namespace lipserve

#endif  // TESTS_MODEL_LAYER_CASES_H_
