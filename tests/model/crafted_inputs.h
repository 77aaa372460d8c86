// SPDX-License-Identifier: Apache-2.0
// Inputs whose class floating point cannot decide.
#ifndef TESTS_MODEL_CRAFTED_INPUTS_H_
#define TESTS_MODEL_CRAFTED_INPUTS_H_

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <variant>
#include <vector>

#include "model/network/frozen_network.h"

namespace lipserve {

using ClassOfInput = std::function<std::size_t(const std::vector<float>&)>;

// The floats in order, as integers.
inline std::int64_t Rank(float value) {
  const auto bits = std::bit_cast<std::int32_t>(value);
  return bits >= 0 ? bits : -static_cast<std::int64_t>(bits & 0x7fffffff);
}
inline float FloatOfRank(std::int64_t rank) {
  const auto magnitude = std::bit_cast<float>(static_cast<std::int32_t>(std::abs(rank)));
  return rank < 0 ? -magnitude : magnitude;
}

// An input near a tie of two classes: found on the line from `a` to `b`, which must be of different
// classes. Then the numbers 0, 1, ... `refinements` - 1 of the input, in turn, are chosen among the
// float32 numbers up to 2^-16, 2^-34, 2^-52 and so on. Each brings the tie about 2^18 times nearer.
inline std::vector<float> NearTie(const ClassOfInput& class_of, std::vector<float> a,
                                  std::vector<float> b, std::size_t refinements) {
  for (std::size_t k = 0; k < refinements; ++k) a[k] = b[k] = 0.0F;
  const std::size_t chosen = class_of(a);
  const auto is_chosen = [&](const std::vector<float>& x) { return class_of(x) == chosen; };
  std::vector<float> middle(a.size());
  for (int step = 0; step < 40; ++step) {
    for (std::size_t k = 0; k < a.size(); ++k) middle[k] = a[k] + 0.5F * (b[k] - a[k]);
    (is_chosen(middle) ? a : b) = middle;
  }
  for (std::size_t k = 0; k < refinements; ++k) {
    const float limit = std::ldexp(1.0F, -16 - 18 * static_cast<int>(k));
    std::int64_t low = Rank(-limit);
    std::int64_t high = Rank(limit);
    a[k] = FloatOfRank(low);
    const bool at_low = is_chosen(a);
    a[k] = FloatOfRank(high);
    if (is_chosen(a) == at_low) {  // the number does not reach the boundary
      a[k] = 0.0F;
      continue;
    }
    while (high - low > 1) {
      const std::int64_t rank = low + (high - low) / 2;
      a[k] = FloatOfRank(rank);
      (is_chosen(a) == at_low ? low : high) = rank;
    }
    a[k] = FloatOfRank(low);
  }
  return a;
}

// Without any bias.
inline FrozenNetwork WithoutBias(FrozenNetwork network) {
  for (FrozenLayer& layer : network.layers) {
    if (auto* dense = std::get_if<DenseLayer>(&layer)) dense->bias.clear();
    if (auto* convolution = std::get_if<ConvolutionLayer>(&layer)) convolution->bias.clear();
    if (auto* potential = std::get_if<ConvexPotentialLayer>(&layer)) {
      std::visit([](auto& inner) { inner.bias.clear(); }, potential->inner);
    }
  }
  return network;
}

// With the odd rows of the last layer equal to the even ones before them.
inline FrozenNetwork WithEqualRows(FrozenNetwork network) {
  auto& last = std::get<DenseLayer>(network.layers.back());
  for (std::size_t row = 1; row < last.outputs; row += 2) {
    for (std::size_t k = 0; k < last.inputs; ++k) {
      last.weights[row * last.inputs + k] = last.weights[(row - 1) * last.inputs + k];
    }
    if (!last.bias.empty()) last.bias[row] = last.bias[row - 1];
  }
  return network;
}

}  // namespace lipserve

#endif  // TESTS_MODEL_CRAFTED_INPUTS_H_
