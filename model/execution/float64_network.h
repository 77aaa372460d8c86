// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it computes the scores that margins and radii come from.
//
// The frozen network in float64. A sample's result does not depend on the batch it is in.
#ifndef MODEL_EXECUTION_FLOAT64_NETWORK_H_
#define MODEL_EXECUTION_FLOAT64_NETWORK_H_

#include <cstddef>
#include <span>
#include <vector>

#include "model/certificate/outward_rounding.h"
#include "model/execution/dense_float64.h"
#include "model/network/frozen_network.h"
#include "model/network/matrix_view.h"

namespace lipserve {

// Threads: immutable; concurrent Run calls are safe with different workspaces.
class Float64Network {
 public:
  // Buffers of one thread.
  struct Workspace {
    std::vector<double> first;  // [max_batch, widest layer], used in turn
    std::vector<double> second;
  };

  // Requires: CheckNetwork(network) is OK; max_batch >= 1.
  Float64Network(const FrozenNetwork& network, std::size_t max_batch);

  std::size_t num_rounding_layers() const { return stages_.size(); }
  Workspace NewWorkspace() const;

  // Computes the scores, and for each rounding layer l and row r a bound of the norm of what that
  // layer read: rounding_input_norms[l * inputs.rows + r].
  //
  // Shapes:   inputs: [N, input size]; scores: N * S, row-major; norms: num_rounding_layers() * N.
  // Requires: 1 <= N <= max_batch.
  void Run(ConstMatrixView inputs, Workspace& workspace, std::span<double> scores,
           std::span<Upper> rounding_input_norms) const;

 private:
  // A dense layer followed by the sorts before the next one.
  struct Stage {
    DenseFloat64 dense;
    std::vector<std::size_t> group_sorts;
  };

  std::size_t max_batch_;
  std::size_t widest_;
  std::vector<std::size_t> input_sorts_;
  std::vector<Stage> stages_;
};

}  // namespace lipserve

#endif  // MODEL_EXECUTION_FLOAT64_NETWORK_H_
