// SPDX-License-Identifier: Apache-2.0
// Converts an ONNX graph to a frozen network. Walks the graph once; of each value it keeps what its
// numbers are in the network (view.h), so that how an exporter spells a layer does not matter.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(exchange::Graph graph, exchange::ReadGraph("model.onnx", {}));
//   LIPSERVE_ASSIGN_OR_RETURN(exchange::Converted converted, exchange::Convert(std::move(graph)));
#ifndef TRAINER_EXCHANGE_IMPORT_CONVERTER_H_
#define TRAINER_EXCHANGE_IMPORT_CONVERTER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/network/frozen_network.h"
#include "trainer/exchange/graph/graph.h"

namespace lipserve::exchange {

// How samples of the graph stand in those of the network, [C, H, W].
struct InputLayout {
  std::vector<std::int64_t> dims;  // of a sample of the graph
  SampleShape shape;               // of the network
  bool channels_last = false;      // dims are [H, W, C]
};

// Operators after the scores, which do not change the order of classes.
enum class FinalStep { kSoftmax, kLogSoftmax, kSigmoid, kNormalizer, kArgMax };

struct Converted {
  // Without its final steps: its only output is the scores.
  Graph graph;
  InputLayout layout;
  std::vector<FinalStep> final_steps;  // in the order in which they were applied
  // For users: what was dropped and why, a line each.
  std::vector<std::string> notes;

  // Norms are not claimed yet.
  FrozenNetwork network;
  std::vector<std::vector<std::size_t>> nodes;  // of graph.nodes, that each layer stands for
  std::size_t rounded_weights = 0;              // numbers that float32 does not hold exactly
  std::size_t flushed_weights = 0;              // those of them that became 0
};

// `served_as`: the shape under which samples are served that are vectors in the graph.
//
// Errors: InvalidArgument with the file, the node, its operator, what was expected, what was found
//         and what to do, in one line, if the graph is no network of frozen layers.
absl::StatusOr<Converted> Convert(Graph graph,
                                  const std::optional<SampleShape>& served_as = std::nullopt);

// The scores' final steps: what the graph makes of them.
//
// Shapes: scores: of one sample.
std::vector<double> AfterFinalSteps(const Converted& converted, std::vector<double> scores);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_CONVERTER_H_
