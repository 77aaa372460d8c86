// SPDX-License-Identifier: Apache-2.0
// Frozen networks in quadruple precision, the oracle of the evaluations: products of float32
// numbers are exact in it and a sum of n terms errs by n 2^-113, far below every float64 bound
// under test.
#ifndef TESTS_MODEL_QUAD_NETWORK_H_
#define TESTS_MODEL_QUAD_NETWORK_H_

#include <algorithm>
#include <cstddef>
#include <span>
#include <variant>
#include <vector>

#include "model/network/frozen_network.h"
#include "tests/model/layer_definition.h"
#include "tests/model/quad.h"

namespace lipserve {

using QuadLayer = LayerDefinition<Quad>;

// The scores of the real network.
inline std::vector<Quad> QuadScores(const FrozenNetwork& network, std::span<const float> input) {
  return NetworkValues(network, std::vector<Quad>(input.begin(), input.end())).back();
}

// QuadScores of the last layer's rows, with the constant second score of a single-score network
// spelled out.
inline std::vector<Quad> QuadRowScores(const FrozenNetwork& network, std::span<const float> input) {
  std::vector<Quad> scores = QuadScores(network, input);
  if (scores.size() == 1) scores.push_back(0);
  return scores;
}

// Of the classes: the largest of their rows'.
inline std::vector<Quad> QuadClassScores(const FrozenNetwork& network,
                                         std::span<const float> input) {
  const std::vector<Quad> rows = QuadRowScores(network, input);
  std::vector<Quad> scores;
  for (auto row = rows.begin(); row != rows.end();) {
    const auto end = row + static_cast<std::ptrdiff_t>(network.prototypes_per_class);
    scores.push_back(*std::max_element(row, end));
    row = end;
  }
  return scores;
}

inline std::size_t QuadArgmax(const std::vector<Quad>& scores) {
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

}  // namespace lipserve

#endif  // TESTS_MODEL_QUAD_NETWORK_H_
