// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it computes the scores that margins and radii come from.
//
// The frozen network in float64. A sample's result does not depend on the batch it is in.
#ifndef MODEL_EXECUTION_FLOAT64_NETWORK_H_
#define MODEL_EXECUTION_FLOAT64_NETWORK_H_

#include <cstddef>
#include <span>

#include "model/arithmetic/outward_rounding.h"
#include "model/execution/layer_step.h"
#include "model/network/frozen_network.h"
#include "model/network/matrix_view.h"

namespace lipserve {

// Threads: immutable; concurrent Run calls are safe with different workspaces.
class Float64Network {
 public:
  // Buffers of one thread.
  using Workspace = StepSequence<double>::Workspace;

  // Requires: CheckNetwork(network) is OK; max_batch >= 1.
  Float64Network(const FrozenNetwork& network, std::size_t max_batch);

  std::size_t num_rounding_layers() const { return steps_.num_rounding_layers(); }
  Workspace NewWorkspace() const { return steps_.NewWorkspace(rows_at_once_); }

  // Computes the scores, and for each rounding layer l and row r a bound of the norm of what that
  // layer read: rounding_input_norms[l * inputs.rows + r].
  //
  // Shapes:   inputs: [N, input size]; scores: N * S, row-major; norms: num_rounding_layers() * N.
  // Requires: 1 <= N <= max_batch.
  void Run(ConstMatrixView inputs, Workspace& workspace, std::span<double> scores,
           std::span<Upper> rounding_input_norms) const;

 private:
  SampleShape input_shape_;
  std::size_t num_scores_;
  StepSequence<double> steps_;
  std::size_t rows_at_once_;  // samples that go through all steps together
};

}  // namespace lipserve

#endif  // MODEL_EXECUTION_FLOAT64_NETWORK_H_
