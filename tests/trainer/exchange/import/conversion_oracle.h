// SPDX-License-Identifier: Apache-2.0
// Converts a graph and holds the network against the graph, evaluated node by node.
#ifndef TESTS_TRAINER_EXCHANGE_IMPORT_CONVERSION_ORACLE_H_
#define TESTS_TRAINER_EXCHANGE_IMPORT_CONVERSION_ORACLE_H_

#include <string>
#include <vector>

#include "model/certificate/layer_bounds.h"
#include "model/certificate/network_bounds.h"
#include "model/foundation/status_macros.h"
#include "trainer/exchange/import/comparison.h"
#include "trainer/exchange/import/converter.h"

namespace lipserve::exchange {

// The layers of the converted network, as DescribeLayer says; an error if it differs from the
// graph.
inline absl::StatusOr<std::vector<std::string>> CheckedLayers(Graph graph) {
  LIPSERVE_ASSIGN_OR_RETURN(Converted converted, Convert(std::move(graph)));
  for (FrozenLayer& layer : converted.network.layers) {
    LIPSERVE_RETURN_IF_ERROR(ClaimOperatorNorm(layer));
  }
  LIPSERVE_ASSIGN_OR_RETURN(const NetworkBounds bounds, NetworkBounds::Create(converted.network));
  LIPSERVE_RETURN_IF_ERROR(CompareWithGraph(converted, bounds, {}).status());
  std::vector<std::string> layers;
  for (const FrozenLayer& layer : converted.network.layers) layers.push_back(DescribeLayer(layer));
  return layers;
}

// The layers, or one line with the error.
inline std::vector<std::string> Layers(Graph graph) {
  auto layers = CheckedLayers(std::move(graph));
  if (layers.ok()) return *std::move(layers);
  return {std::string(layers.status().message())};
}

// Why a graph is refused, or "converted".
inline std::string WhyRefused(Graph graph) {
  const auto layers = CheckedLayers(std::move(graph));
  return layers.ok() ? "converted" : std::string(layers.status().message());
}

}  // namespace lipserve::exchange

#endif  // TESTS_TRAINER_EXCHANGE_IMPORT_CONVERSION_ORACLE_H_
