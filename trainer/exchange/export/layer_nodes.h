// SPDX-License-Identifier: Apache-2.0
// The nodes that compute a frozen layer. EXPORTING.md lists them.
#ifndef TRAINER_EXCHANGE_EXPORT_LAYER_NODES_H_
#define TRAINER_EXCHANGE_EXPORT_LAYER_NODES_H_

#include <string>

#include "model/network/frozen_network.h"
#include "trainer/exchange/export/node_writer.h"

namespace lipserve::exchange {

// A value of the graph: [batch, C, H, W], or [batch, C] for a vector.
struct GraphValue {
  std::string name;
  SampleShape shape;
  bool is_vector = false;  // then H = W = 1
};

// Adds the nodes of `layer`, with its weights bit for bit. `other`: the second value of a sum; of
// no other layer is it read.
//
// Requires: the network that contains the layer passes CheckNetwork.
GraphValue AddLayer(const FrozenLayer& layer, const GraphValue& input, const GraphValue& other,
                    NodeWriter& writer);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_EXPORT_LAYER_NODES_H_
