// SPDX-License-Identifier: Apache-2.0
#include "model/execution/float64_network.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "model/certificate/vector_norm.h"
#include "model/execution/group_sort.h"

namespace lipserve {

Float64Network::Float64Network(const FrozenNetwork& network, std::size_t max_batch)
    : max_batch_(max_batch), widest_(network.input_shape.size()) {
  for (const FrozenLayer& layer : network.layers) {
    if (const auto* dense = std::get_if<DenseLayer>(&layer)) {
      stages_.push_back(
          {DenseFloat64(dense->weights, dense->bias, dense->inputs, dense->outputs), {}});
      widest_ = std::max(widest_, dense->outputs);
    } else if (const auto* sort = std::get_if<GroupSortLayer>(&layer)) {
      (stages_.empty() ? input_sorts_ : stages_.back().group_sorts).push_back(sort->group_size);
    }
  }
}

Float64Network::Workspace Float64Network::NewWorkspace() const {
  return {.first = std::vector<double>(max_batch_ * widest_),
          .second = std::vector<double>(max_batch_ * widest_)};
}

void Float64Network::Run(ConstMatrixView inputs, Workspace& workspace, std::span<double> scores,
                         std::span<Upper> rounding_input_norms) const {
  const std::size_t rows = inputs.rows;
  assert(rows >= 1 && rows <= max_batch_);
  assert(rounding_input_norms.size() == stages_.size() * rows);
  double* x = workspace.first.data();
  double* y = workspace.second.data();
  std::copy_n(inputs.data, inputs.size(), x);
  for (const std::size_t group_size : input_sorts_) GroupSort({x, inputs.size()}, group_size);
  for (std::size_t d = 0; d < stages_.size(); ++d) {
    const Stage& stage = stages_[d];
    for (std::size_t r = 0; r < rows; ++r) {
      rounding_input_norms[d * rows + r] =
          NormBound(std::span<const double>(x + r * stage.dense.inputs(), stage.dense.inputs()));
    }
    stage.dense.Run(x, rows, y);
    for (const std::size_t group_size : stage.group_sorts) {
      GroupSort({y, rows * stage.dense.outputs()}, group_size);
    }
    std::swap(x, y);
  }
  assert(scores.size() == rows * stages_.back().dense.outputs());
  std::copy_n(x, scores.size(), scores.data());
}

}  // namespace lipserve
