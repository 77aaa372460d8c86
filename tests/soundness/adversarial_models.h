// SPDX-License-Identifier: Apache-2.0
// Networks built so that rounding lies: what they are in real arithmetic is not what float32, and
// for some float64, computes of them. A server must answer them truly or refuse them.
//
// Sources: Murray 2026 (arXiv:2603.13334), cancelled biases; Zombori et al. 2021 (ICLR), large
//          constants and backdoors; Szasz, Banhelyi, Jelasity 2025 (arXiv:2506.01054), detectors of
//          the order of summation; Tobler, Syeda, Murray 2025 (arXiv:2505.06958), tiny weights and
//          ties of two neurons.
#ifndef TESTS_SOUNDNESS_ADVERSARIAL_MODELS_H_
#define TESTS_SOUNDNESS_ADVERSARIAL_MODELS_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "model/certificate/operator_norm.h"
#include "model/network/frozen_network.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_network.h"

namespace lipserve {

// Rows of a dense layer under construction; the claimed norm is proven at the end.
class DenseBuilder {
 public:
  explicit DenseBuilder(std::size_t inputs) { dense_.inputs = inputs; }

  DenseBuilder& Row(std::vector<float> weights, float bias = 0.0F) {
    weights.resize(dense_.inputs, 0.0F);
    dense_.weights.insert(dense_.weights.end(), weights.begin(), weights.end());
    dense_.bias.push_back(bias);
    ++dense_.outputs;
    return *this;
  }
  // A row that is 1 at input k.
  DenseBuilder& Pick(std::size_t k, float bias = 0.0F) {
    std::vector<float> weights(dense_.inputs, 0.0F);
    weights[k] = 1.0F;
    return Row(std::move(weights), bias);
  }
  DenseLayer Build() const {
    DenseLayer dense = dense_;
    dense.claimed_operator_norm_bound =
        BoundOperatorNorm({dense.weights.data(), dense.outputs, dense.inputs}).value();
    return dense;
  }

 private:
  DenseLayer dense_;
};

// Flatten, then the layers with sorts of pairs between them.
inline FrozenNetwork Chain(std::vector<DenseLayer> layers) {
  FrozenNetwork network;
  network.input_shape = {.channels = 1, .height = 1, .width = layers.front().inputs};
  network.layers.emplace_back(FlattenLayer{});
  for (DenseLayer& layer : layers) {
    if (network.layers.size() > 1) network.layers.emplace_back(GroupSortLayer{.group_size = 2});
    network.layers.emplace_back(std::move(layer));
  }
  return network;
}

// The dense layers of a network made by Chain or RandomNetwork.
inline std::vector<DenseLayer*> DenseLayers(FrozenNetwork& network) {
  std::vector<DenseLayer*> layers;
  for (FrozenLayer& layer : network.layers) {
    if (auto* dense = std::get_if<DenseLayer>(&layer)) layers.push_back(dense);
  }
  return layers;
}

inline void ProveClaims(FrozenNetwork& network) {
  for (DenseLayer* dense : DenseLayers(network)) {
    dense->claimed_operator_norm_bound =
        BoundOperatorNorm({dense->weights.data(), dense->outputs, dense->inputs}).value();
  }
}

// Adds `offset` to every output of dense layer `layer` and takes it off again in the next one's
// bias: sorting commutes with the offset, so the real network changes no more than biases round,
// but float32 loses log2(offset) bits of every activation in between.
inline FrozenNetwork WithCancelledBias(FrozenNetwork network, std::size_t layer, float offset) {
  const std::vector<DenseLayer*> dense = DenseLayers(network);
  for (float& bias : dense[layer]->bias) bias += offset;
  DenseLayer& next = *dense[layer + 1];
  for (std::size_t o = 0; o < next.outputs; ++o) {
    double sum = 0.0;
    for (std::size_t k = 0; k < next.inputs; ++k) {
      sum += static_cast<double>(next.weights[o * next.inputs + k]);
    }
    next.bias[o] =
        static_cast<float>(static_cast<double>(next.bias[o]) - sum * static_cast<double>(offset));
  }
  return network;
}

// The same by ReLU: every neuron is paired with a constant 0, so that a sorted pair holds
// max(0, a); `offset` makes every a positive and is then cancelled.
inline FrozenNetwork WithShiftedReluPairs(std::uint64_t seed, std::size_t inputs,
                                          std::size_t neurons, std::size_t classes, float offset) {
  std::mt19937_64 random(seed);
  DenseBuilder first(inputs);
  const auto rows = OrthonormalRows(random, neurons, inputs);
  for (std::size_t n = 0; n < neurons; ++n) {
    const auto row = rows.begin() + static_cast<std::ptrdiff_t>(n * inputs);
    first.Row({row, row + static_cast<std::ptrdiff_t>(inputs)}, offset).Row({});
  }
  DenseBuilder last(2 * neurons);
  for (std::size_t c = 0; c < classes; ++c) {
    const auto weights = RandomFloats(random, neurons, 1.0);
    std::vector<float> row(2 * neurons, 0.0F);
    double sum = 0.0;
    for (std::size_t n = 0; n < neurons; ++n) {
      row[2 * n + 1] = weights[n];  // the larger of the pair
      sum += static_cast<double>(weights[n]);
    }
    last.Row(std::move(row), static_cast<float>(-sum * static_cast<double>(offset)));
  }
  return Chain({first.Build(), last.Build()});
}

// Two classes that a plain margin m = x_0 - x_1 tells apart, and a backdoor: where the mean of
// x_2..x_5 exceeds 1/2 by t > 0, `strength` * t is added against the plain class. On its way t has
// 2^exponent added and subtracted, so arithmetic with fewer bits than that does not see it.
inline FrozenNetwork WithBackdoorBehindAConstant(int exponent, float strength) {
  const float constant = std::ldexp(1.0F, exponent);
  constexpr float kQuarter = 0.25F;
  const DenseLayer detect = DenseBuilder(28)
                                .Row({1.0F, -1.0F})
                                .Row({}, -1e3F)  // the pair is (-1000, m) while m > -1000
                                .Row({0.0F, 0.0F, kQuarter, kQuarter, kQuarter, kQuarter}, -0.5F)
                                .Row({})  // the pair is (min(t, 0), max(t, 0))
                                .Build();
  const DenseLayer hide = DenseBuilder(4).Pick(1).Row({}, -1e3F).Pick(3, constant).Row({}).Build();
  const DenseLayer reveal =
      DenseBuilder(4).Pick(1).Row({}, -1e3F).Pick(3, -constant).Row({}, -1.0F).Build();
  const DenseLayer decide = DenseBuilder(4).Row({0.0F, 1.0F, 0.0F, -strength}).Build();
  return Chain({detect, hide, reveal, decide});
}

// Scores (1, t, ..., t) . x and (t, ..., t, 1) . x with t just below half a unit in the last place
// of 1: a sum that starts at the 1 loses every t.
inline FrozenNetwork WithStagnatingSums(std::size_t inputs) {
  std::vector<float> row(inputs, std::nextafter(0x1p-24F, 0.0F));
  row.front() = 1.0F;
  DenseBuilder scores(inputs);
  scores.Row(row);
  return Chain({scores.Row({row.rbegin(), row.rend()}).Build()});
}

// A neuron 2^24 x_0 + x_1 + ... + x_{n-2} - 2^24 x_{n-1}: where x_0 = x_{n-1}, the order of
// summation decides how much of the middle float32 keeps. The score is what it keeps, less
// `threshold`.
inline FrozenNetwork WithOrderDetector(std::size_t inputs, float threshold) {
  std::vector<float> row(inputs, 1.0F);
  row.front() = 0x1p24F;
  row.back() = -0x1p24F;
  return Chain({DenseBuilder(inputs).Row(row).Row({}).Build(),
                DenseBuilder(2).Row({0.0F, 1.0F}, -threshold).Build()});
}

// Every weight and bias of every layer times `factor`; numbers that leave the normal float32 range
// stay as the product rounds.
inline FrozenNetwork Scaled(FrozenNetwork network, float factor) {
  for (DenseLayer* dense : DenseLayers(network)) {
    for (float& w : dense->weights) w *= factor;
    for (float& b : dense->bias) b *= factor;
  }
  ProveClaims(network);
  return network;
}

// Layers of +-`magnitude`, without bias.
inline FrozenNetwork WithSignsOf(std::uint64_t seed, std::vector<std::size_t> sizes,
                                 float magnitude) {
  FrozenNetwork network = RandomNetwork(seed, std::move(sizes));
  for (DenseLayer* dense : DenseLayers(network)) {
    for (float& w : dense->weights) w = std::copysign(magnitude, w);
    dense->bias.clear();
  }
  ProveClaims(network);
  return network;
}

// Layers u v^T of rank one.
inline FrozenNetwork OfRankOne(std::uint64_t seed, std::vector<std::size_t> sizes) {
  std::mt19937_64 random(seed);
  FrozenNetwork network = RandomNetwork(seed, std::move(sizes));
  for (DenseLayer* dense : DenseLayers(network)) {
    const auto u = RandomFloats(random, dense->outputs, 1.0);
    const auto v = RandomFloats(random, dense->inputs, 1.0);
    for (std::size_t o = 0; o < dense->outputs; ++o) {
      for (std::size_t k = 0; k < dense->inputs; ++k) {
        dense->weights[o * dense->inputs + k] = u[o] * v[k];
      }
    }
  }
  ProveClaims(network);
  return network;
}

}  // namespace lipserve

#endif  // TESTS_SOUNDNESS_ADVERSARIAL_MODELS_H_
