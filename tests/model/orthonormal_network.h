// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_MODEL_ORTHONORMAL_NETWORK_H_
#define TESTS_MODEL_ORTHONORMAL_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "tests/model/network_fixtures.h"
#include "tests/model/orthonormal_rows.h"

namespace lipserve {

// A network of dense layers of these sizes, with orthonormal rows as trained ones have, and
// GroupSort2 between them. Gradients keep their norm, so its certificates are tight.
inline FrozenNetwork OrthonormalNetwork(std::uint64_t seed, std::vector<std::size_t> sizes) {
  std::mt19937_64 random(seed);
  FrozenNetwork network = RandomNetwork(seed, std::move(sizes));
  for (FrozenLayer& layer : network.layers) {
    auto* dense = std::get_if<DenseLayer>(&layer);
    if (dense == nullptr) continue;
    dense->weights = OrthonormalRows(random, dense->outputs, dense->inputs);
    dense->claimed_operator_norm_bound =
        BoundOperatorNorm({dense->weights.data(), dense->outputs, dense->inputs}).value();
  }
  return network;
}

}  // namespace lipserve

#endif  // TESTS_MODEL_ORTHONORMAL_NETWORK_H_
