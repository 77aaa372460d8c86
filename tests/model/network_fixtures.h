// SPDX-License-Identifier: Apache-2.0
// Small frozen networks with random weights.
#ifndef TESTS_MODEL_NETWORK_FIXTURES_H_
#define TESTS_MODEL_NETWORK_FIXTURES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/certificate/convolution_norm.h"
#include "model/certificate/operator_norm.h"
#include "model/network/frozen_network.h"
#include "model/network/model_file.h"
#include "tests/model/quad_network.h"

namespace lipserve {

// `count` normal variates times `scale`, rounded to float32.
inline std::vector<float> RandomFloats(std::mt19937_64& random, std::size_t count, double scale) {
  std::normal_distribution<double> normal(0.0, scale);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(normal(random));
  return values;
}

inline DenseLayer RandomDense(std::mt19937_64& random, std::size_t inputs, std::size_t outputs,
                              double scale) {
  DenseLayer dense{.inputs = inputs,
                   .outputs = outputs,
                   .weights = RandomFloats(random, inputs * outputs, scale),
                   .bias = RandomFloats(random, outputs, 0.1),
                   .claimed_operator_norm_bound = 0.0};
  dense.claimed_operator_norm_bound =
      BoundOperatorNorm({dense.weights.data(), outputs, inputs}).value();
  return dense;
}

// flatten, then dense layers of the given sizes with GroupSort2 between them.
inline FrozenNetwork RandomNetwork(std::uint64_t seed, std::vector<std::size_t> sizes) {
  std::mt19937_64 random(seed);
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = sizes.front()};
  network.layers.emplace_back(FlattenLayer{});
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    if (i > 0) network.layers.emplace_back(GroupSortLayer{.group_size = 2});
    const double scale = 1.0 / static_cast<double>(std::max<std::size_t>(sizes[i] / 4, 1));
    network.layers.emplace_back(RandomDense(random, sizes[i], sizes[i + 1], scale));
  }
  return network;
}

// The network's last layer replaced by `prototypes` random prototypes p of each of its classes:
// w = p, b = -|p|^2 / 2, so that the nearest one has the largest score.
inline FrozenNetwork WithPrototypes(FrozenNetwork network, std::uint64_t seed,
                                    std::size_t prototypes) {
  std::mt19937_64 random(seed);
  auto& last = std::get<DenseLayer>(network.layers.back());
  last = RandomDense(random, last.inputs, NumClasses(network) * prototypes, 1.0);
  for (std::size_t i = 0; i < last.outputs; ++i) {
    double squares = 0.0;
    for (std::size_t k = 0; k < last.inputs; ++k) {
      const auto weight = static_cast<double>(last.weights[i * last.inputs + k]);
      squares += weight * weight;
    }
    last.bias[i] = static_cast<float>(-squares / 2.0);
  }
  network.prototypes_per_class = prototypes;
  return network;
}

// `layer` with random weights and biases; only its geometry is read. The claim stays 0.
inline ConvolutionLayer RandomConvolution(std::mt19937_64& random, ConvolutionLayer layer,
                                          double scale) {
  layer.weights = RandomFloats(random, layer.output_channels * layer.fan_in(), scale);
  layer.bias = RandomFloats(random, layer.output_channels, 0.1);
  return layer;
}

inline ConvolutionLayer WithProvenNorm(ConvolutionLayer layer) {
  layer.claimed_operator_norm_bound = BoundConvolutionNorm(layer).value();
  return layer;
}

// Of an [1, 8, 8] image, with a layer of every kind; without an L2-norm pool it is piecewise
// linear.
inline FrozenNetwork RandomImageNetwork(std::uint64_t seed, std::size_t scores,
                                        bool with_l2_norm_pool) {
  std::mt19937_64 random(seed);
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 8, .width = 8};
  const WindowAxis three{.size = 3, .padding_before = 1, .padding_after = 1};
  network.layers.emplace_back(WithProvenNorm(RandomConvolution(
      random,
      {.input = network.input_shape, .output_channels = 8, .vertical = three, .horizontal = three},
      0.2)));
  network.layers.emplace_back(GroupSortLayer{.group_size = 2});
  network.layers.emplace_back(
      AveragePoolLayer{.window_height = 2, .window_width = 2, .scale = 0.5F});
  network.layers.emplace_back(
      WithProvenNorm(RandomConvolution(random,
                                       {.input = {.channels = 8, .height = 4, .width = 4},
                                        .output_channels = 12,
                                        .groups = 2,
                                        .vertical = three,
                                        .horizontal = three,
                                        .padding_mode = PaddingMode::kCircular},
                                       0.15)));
  network.layers.emplace_back(GroupSortLayer{.group_size = 3});
  if (with_l2_norm_pool) {
    network.layers.emplace_back(L2NormPoolLayer{.window_height = 2, .window_width = 2});
  } else {
    const WindowAxis two{.size = 2, .stride = 2};
    network.layers.emplace_back(
        WithProvenNorm(RandomConvolution(random,
                                         {.input = {.channels = 12, .height = 4, .width = 4},
                                          .output_channels = 12,
                                          .vertical = two,
                                          .horizontal = two},
                                         0.15)));
  }
  network.layers.emplace_back(FlattenLayer{});
  network.layers.emplace_back(RandomDense(random, 12 * 2 * 2, scores, 0.1));
  return network;
}

// The same network, piecewise linear, with every activation in the place of its sorts and an
// up-sampling at the end.
inline FrozenNetwork RandomActivationNetwork(std::uint64_t seed, std::size_t scores) {
  FrozenNetwork network = RandomImageNetwork(seed, scores, false);
  std::mt19937_64 random(seed);
  auto& layers = network.layers;
  layers[1] = MaxMinLayer{};
  layers[4] = PReluLayer{RandomFloats(random, 12, 0.7)};
  layers.back() = RandomDense(random, 24 * 2 * 2, scores, 0.1);
  const FrozenLayer more[] = {HouseholderLayer{RandomFloats(random, 12, 0.8)}, AbsLayer{},
                              HouseholderLayer{RandomFloats(random, 12, 0.6)},
                              ConcatenatedReluLayer{},
                              UpSamplingLayer{.window_height = 2, .window_width = 3}};
  layers.insert(layers.end() - 2, std::begin(more), std::end(more));
  return network;
}

// Of an [1, 8, 8] image: convex potentials of convolutions and dense layers, some of a norm above
// sqrt(2), which stretch.
inline FrozenNetwork RandomPotentialNetwork(std::uint64_t seed, std::size_t scores) {
  std::mt19937_64 random(seed);
  FrozenNetwork network = RandomImageNetwork(seed, scores, false);
  auto& layers = network.layers;
  const auto convolution = [&](PaddingMode mode, double scale) {
    const WindowAxis vertical{.size = 3, .padding_before = 2, .padding_after = 0};
    const WindowAxis horizontal{.size = 2, .dilation = 2, .padding_before = 1, .padding_after = 1};
    return WithProvenNorm(RandomConvolution(random,
                                            {.input = {.channels = 8, .height = 4, .width = 4},
                                             .output_channels = 6,
                                             .groups = 2,
                                             .vertical = vertical,
                                             .horizontal = horizontal,
                                             .padding_mode = mode},
                                            scale));
  };
  const FrozenLayer of_images[] = {ConvexPotentialLayer{convolution(PaddingMode::kZero, 0.2)},
                                   ConvexPotentialLayer{convolution(PaddingMode::kCircular, 0.4)}};
  const FrozenLayer of_vectors[] = {ConvexPotentialLayer{RandomDense(random, 48, 30, 0.1)},
                                    ConvexPotentialLayer{RandomDense(random, 48, 60, 0.12)}};
  layers.insert(layers.begin() + 3, std::begin(of_images), std::end(of_images));
  layers.insert(layers.end() - 1, std::begin(of_vectors), std::end(of_vectors));
  return network;
}

// Of a [4, 6, 4] image, with every layer that networks which branch need: C x + D x, then r + E r
// of a ReLU r, a clip, a permutation that drops numbers, a max pool whose windows overlap, a sum of
// a value with itself.
inline FrozenNetwork RandomBranchingNetwork(std::uint64_t seed, std::size_t scores) {
  std::mt19937_64 random(seed);
  const SampleShape image{.channels = 4, .height = 6, .width = 4};
  const WindowAxis axis{.size = 3, .padding_before = 1, .padding_after = 1};
  const auto convolution = [&](double scale) {
    return WithProvenNorm(RandomConvolution(random,
                                            {.input = image,
                                             .output_channels = 4,
                                             .vertical = axis,
                                             .horizontal = axis,
                                             .padding_mode = PaddingMode::kZero},
                                            scale));
  };
  PermutationLayer permutation{.output = {.channels = 3, .height = 5, .width = 6}};
  for (std::uint32_t k = 0; k < 90; ++k) permutation.sources.push_back((k * 5 + 3) % 96);
  const MaxPoolLayer pool{.vertical = {.size = 3, .stride = 2, .padding_before = 1},
                          .horizontal = {.size = 2, .stride = 1, .padding_after = 1}};
  FrozenNetwork network{
      .input_shape = image,
      .layers = {convolution(0.3), convolution(0.3), SumLayer{.other = 1},
                 PReluLayer{std::vector<float>(4, 0.0F)}, convolution(0.2), SumLayer{.other = 4},
                 ClipLayer{.low = -1.0F, .high = 0.75F}, std::move(permutation), pool,
                 SumLayer{.other = 9}, FlattenLayer{}},
      .inputs = {0, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
  const std::size_t size = OutputShape(pool, {3, 5, 6}).size();
  network.layers.emplace_back(RandomDense(random, size, scores, 0.2));
  return network;
}

// Why the format refuses `layer` on `shape`, or "" if it takes it.
inline std::string LayerError(const FrozenLayer& layer, const SampleShape& shape) {
  const FrozenNetwork network{.input_shape = shape, .layers = {layer, FlattenLayer{}}};
  const std::string message(CheckNetwork(network).message());
  return message.find("the last to be dense") == std::string::npos ? message : "";
}

inline FrozenModel ModelOf(FrozenNetwork network) {
  FrozenModel model;
  model.name = "test";
  model.network = std::move(network);
  for (std::size_t i = 0; i < NumClasses(model.network); ++i) {
    model.class_labels.push_back("class " + std::to_string(i));
  }
  return model;
}

}  // namespace lipserve

#endif  // TESTS_MODEL_NETWORK_FIXTURES_H_
