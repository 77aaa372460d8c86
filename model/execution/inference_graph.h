// SPDX-License-Identifier: Apache-2.0
// The frozen network as oneDNN primitives in float32, ready for a set of batch sizes.
#ifndef MODEL_EXECUTION_INFERENCE_GRAPH_H_
#define MODEL_EXECUTION_INFERENCE_GRAPH_H_

#include <cstddef>
#include <span>
#include <vector>

#include "model/arithmetic/outward_rounding.h"
#include "model/execution/layer_step.h"
#include "model/network/frozen_network.h"
#include "model/network/matrix_view.h"

namespace lipserve {

// Threads: immutable; concurrent Run calls are safe with different workspaces.
class InferenceGraph {
 public:
  // Buffers of one thread.
  using Workspace = StepSequence<float>::Workspace;

  // Creates the primitives on the calling thread's OpenMP team.
  //
  // Requires: CheckNetwork(network) is OK; max_batch >= 1.
  InferenceGraph(const FrozenNetwork& network, std::size_t max_batch);

  std::size_t max_batch() const { return batch_sizes_.back(); }
  // The batch sizes that have primitives. Other batches are padded with zero rows to the next of
  // them.
  std::span<const std::size_t> batch_sizes() const { return batch_sizes_; }
  std::size_t num_rounding_layers() const { return steps_.num_rounding_layers(); }

  Workspace NewWorkspace() const { return steps_.NewWorkspace(max_batch()); }

  // Computes the scores, and for each rounding layer l and row r a bound of the norm of what that
  // layer read: rounding_input_norms[l * inputs.rows + r].
  //
  // Shapes:   inputs: [N, input size], scores: [N, S]; norms: num_rounding_layers() * N.
  // Requires: 1 <= N <= max_batch(); the thread's OpenMP team is as wide as at construction.
  void Run(ConstMatrixView inputs, Workspace& workspace, MatrixView scores,
           std::span<Upper> rounding_input_norms) const;

 private:
  std::vector<std::size_t> batch_sizes_;  // ascending; the last is max_batch
  SampleShape input_shape_;
  StepSequence<float> steps_;
};

}  // namespace lipserve

#endif  // MODEL_EXECUTION_INFERENCE_GRAPH_H_
