// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BENCHMARKS_ORTHONORMAL_NETWORK_H_
#define TESTS_BENCHMARKS_ORTHONORMAL_NETWORK_H_

#include <cstddef>
#include <random>
#include <variant>
#include <vector>

#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_rows.h"

namespace lipserve {

// A network of dense layers of these sizes, with orthonormal rows as trained ones have, and
// GroupSort2 between them. What it answers has a radius, as answers of trained networks have.
inline FrozenNetwork OrthonormalNetwork(const std::vector<std::size_t>& sizes) {
  std::mt19937_64 random(1);
  FrozenNetwork network = RandomNetwork(1, sizes);
  for (FrozenLayer& layer : network.layers) {
    auto* dense = std::get_if<DenseLayer>(&layer);
    if (dense == nullptr) continue;
    dense->weights = OrthonormalRows(random, dense->outputs, dense->inputs);
    dense->claimed_operator_norm_bound =
        *BoundOperatorNorm({dense->weights.data(), dense->outputs, dense->inputs});
  }
  return network;
}

}  // namespace lipserve

#endif  // TESTS_BENCHMARKS_ORTHONORMAL_NETWORK_H_
