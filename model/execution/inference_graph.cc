// SPDX-License-Identifier: Apache-2.0
#include "model/execution/inference_graph.h"

#include <algorithm>
#include <cassert>
#include <memory>
#include <utility>

#include "model/certificate/vector_norm.h"
#include "model/execution/group_sort.h"

namespace lipserve {
namespace {

// 1, 2, 3, 4, 6, 8, 12, 16, ...: padding to the next one costs at most half a batch.
std::vector<std::size_t> ChooseBatchSizes(std::size_t max_batch) {
  std::vector<std::size_t> sizes;
  for (std::size_t power = 1; power < max_batch; power *= 2) {
    sizes.push_back(power);
    if (power >= 2 && power + power / 2 < max_batch) sizes.push_back(power + power / 2);
  }
  sizes.push_back(max_batch);
  return sizes;
}

}  // namespace

InferenceGraph::InferenceGraph(const FrozenNetwork& network, std::size_t max_batch)
    : batch_sizes_(ChooseBatchSizes(max_batch)), widest_(network.input_shape.size()) {
  assert(max_batch >= 1);
  for (const FrozenLayer& layer : network.layers) {
    if (const auto* dense = std::get_if<DenseLayer>(&layer)) {
      Stage stage{
          .inputs = dense->inputs, .outputs = dense->outputs, .primitives = {}, .group_sorts = {}};
      const auto weights = onednn::DenseForward::PackWeights(dense->weights, dense->bias,
                                                             dense->inputs, dense->outputs);
      for (const std::size_t batch : batch_sizes_) {
        stage.primitives.emplace_back(weights, batch);
        scratch_bytes_ = std::max(scratch_bytes_, stage.primitives.back().scratch_bytes());
      }
      widest_ = std::max(widest_, dense->outputs);
      stages_.push_back(std::move(stage));
    } else if (const auto* sort = std::get_if<GroupSortLayer>(&layer)) {
      (stages_.empty() ? input_sorts_ : stages_.back().group_sorts).push_back(sort->group_size);
    }
  }
  num_rounding_layers_ = stages_.size();
}

InferenceGraph::Workspace InferenceGraph::NewWorkspace() const {
  Workspace workspace;
  workspace.first.resize(max_batch() * widest_);
  workspace.second.resize(max_batch() * widest_);
  workspace.scratch.resize(scratch_bytes_);
  return workspace;
}

void InferenceGraph::Run(ConstMatrixView inputs, Workspace& workspace, MatrixView scores,
                         std::span<Upper> rounding_input_norms) const {
  const std::size_t rows = inputs.rows;
  assert(rows >= 1 && rows <= max_batch() && scores.rows == rows);
  assert(rounding_input_norms.size() == num_rounding_layers_ * rows);
  const auto size = std::lower_bound(batch_sizes_.begin(), batch_sizes_.end(), rows);
  const auto choice = static_cast<std::size_t>(size - batch_sizes_.begin());

  float* x = workspace.first.data();
  float* y = workspace.second.data();
  std::copy_n(inputs.data, inputs.size(), x);
  std::fill_n(x + inputs.size(), (*size - rows) * inputs.cols, 0.0F);
  for (const std::size_t group_size : input_sorts_) {
    GroupSort({x, *size, inputs.cols}, group_size, {x, *size, inputs.cols});
  }
  for (std::size_t d = 0; d < stages_.size(); ++d) {
    const Stage& stage = stages_[d];
    const ConstMatrixView read{x, rows, stage.inputs};
    for (std::size_t r = 0; r < rows; ++r) {
      rounding_input_norms[d * rows + r] = NormBound(read.row(r));
    }
    stage.primitives[choice].Execute(x, y, workspace.scratch.data());
    for (const std::size_t group_size : stage.group_sorts) {
      GroupSort({y, *size, stage.outputs}, group_size, {y, *size, stage.outputs});
    }
    std::swap(x, y);
  }
  std::copy_n(x, scores.size(), scores.data);
}

}  // namespace lipserve
