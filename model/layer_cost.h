// SPDX-License-Identifier: Apache-2.0
// What one layer takes while a model is loaded (loading_cost.h), computed from its shapes and the
// exponents of its weights.
#ifndef MODEL_LAYER_COST_H_
#define MODEL_LAYER_COST_H_

#include <cstddef>

#include "model/network/frozen_network.h"

namespace lipserve {

// A count as a number to calculate with.
inline double Number(std::size_t n) { return static_cast<double>(n); }

// Operations of the steps that make up loading. These are estimates, meant to be too high;
// tests/benchmarks/loading_benchmark.cc prints them beside what loading takes.
inline constexpr double kPerNumber = 1.5;       // of a layer that computes number by number
inline constexpr double kPerLayerCall = 500.0;  // whatever its size

// What the proof of one layer takes.
struct ProofSize {
  double operations = 0.0;
  double bytes = 0.0;
};

// What one layer takes beside its proof.
struct LayerCost {
  double image = kPerLayerCall;  // operations for one image
  double lists = 0.0;            // operations for what windows read
  double primitives = 0.0;       // for each batch size
  double weights = 0.0;
  double packed_bytes = 0.0;  // the weights as the evaluations hold them
  double scratch32 = 0.0;     // bytes for each image
  double scratch64 = 0.0;     // bytes
  double widening = 0.0;      // bits that an exact number gains
  double most_numbers = 0.0;  // inside the layer, beyond its output
};

// Requires: a layer of a network that CheckNetwork accepts.
ProofSize ProofOf(const FrozenLayer& layer);

// The cost of a layer that reads samples of shape `input`. Requires: as above.
LayerCost CostOf(const FrozenLayer& layer, const SampleShape& input);

}  // namespace lipserve

#endif  // MODEL_LAYER_COST_H_
