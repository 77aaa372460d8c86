// SPDX-License-Identifier: Apache-2.0
// A network while it is converted: like FrozenNetwork, but with weights in float64, so that
// scaling, shifts and identities can be folded into layers before they are rounded once.
#ifndef TRAINER_EXCHANGE_IMPORT_DRAFT_H_
#define TRAINER_EXCHANGE_IMPORT_DRAFT_H_

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "model/network/frozen_network.h"

namespace lipserve::exchange {

struct DraftLayer {
  FrozenLayer layer;               // without its weights, bias or scale
  std::vector<double> weights;     // of a dense layer, a convolution, what a convex potential has
                                   // inside; the scale of an average pool
  std::vector<double> bias;        // or empty
  std::size_t input = 0;           // the value that it reads
  std::vector<std::size_t> nodes;  // of the graph that it stands for
};

// A network, and what its layers stand for.
struct FinishedDraft {
  FrozenNetwork network;
  std::vector<std::vector<std::size_t>> nodes;  // of each layer
  std::size_t rounded_weights = 0;              // numbers that float32 does not hold exactly
  std::size_t flushed_weights = 0;              // those of them that became 0
};

// Value 0 is the input, value k the output of layer k - 1.
class Draft {
 public:
  explicit Draft(const SampleShape& input) : shapes_{input} {}

  // Adds a layer and returns the number of its value.
  std::size_t Add(DraftLayer layer);

  const SampleShape& shape(std::size_t value) const { return shapes_[value]; }
  // The layer that makes a value; none for the input.
  DraftLayer* producer(std::size_t value) { return value == 0 ? nullptr : &layers_[value - 1]; }

  // Numbers of a layer that were rounded before it was added.
  void CountRounded(std::size_t count) { rounded_ += count; }

  // The network whose scores are value `scores`, without the layers that they do not depend on.
  // Takes the weights.
  //
  // Errors: InvalidArgument if a weight is beyond float32.
  absl::StatusOr<FinishedDraft> Finish(std::size_t scores);

 private:
  std::vector<SampleShape> shapes_;
  std::vector<DraftLayer> layers_;
  std::size_t rounded_ = 0;
};

// A dense layer without its weights.
DenseLayer EmptyDense(std::size_t inputs, std::size_t outputs);

// A dense layer or a convolution: what has weights of its own.
bool IsLinear(const DraftLayer& layer);

// Scales and shifts the outputs of a linear layer, channel by channel.
void ScaleOutputs(DraftLayer& layer, std::span<const double> scale, std::span<const double> shift);

// A layer without weights.
DraftLayer LayerOn(std::size_t input, FrozenLayer layer);

// y[c] = scale[c] x[c] + shift[c] at every position, as a convolution.
DraftLayer ChannelScaling(std::size_t input, const SampleShape& shape, std::vector<double> scale,
                          std::vector<double> shift);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_DRAFT_H_
