// SPDX-License-Identifier: Apache-2.0
#include "model/execution/layer_step.h"

#include <algorithm>
#include <cassert>
#include <span>
#include <utility>

#include "model/arithmetic/vector_norm.h"

namespace lipserve {

template <typename Number>
void StepSequence<Number>::Append(std::unique_ptr<const LayerStep<Number>> step,
                                  std::size_t outputs, bool rounds) {
  scratch_bytes_ = std::max(scratch_bytes_, step->scratch_bytes());
  widest_ = std::max(widest_, outputs);
  if (rounds) ++num_rounding_layers_;
  entries_.push_back({.step = std::move(step), .inputs = next_input_size_, .rounds = rounds});
  next_input_size_ = outputs;
}

template <typename Number>
typename StepSequence<Number>::Workspace StepSequence<Number>::NewWorkspace(
    std::size_t max_batch) const {
  return {.inputs = std::vector<Number>(max_batch * input_size_),
          .first = std::vector<Number>(max_batch * widest_),
          .second = std::vector<Number>(max_batch * widest_),
          .scratch = std::vector<std::byte>(scratch_bytes_)};
}

template <typename Number>
const Number* StepSequence<Number>::Run(const Number* x, std::size_t rows, std::size_t batch,
                                        Workspace& workspace, Upper* norms,
                                        std::size_t norm_stride) const {
  assert(rows <= batch && rows <= norm_stride);
  Number* y = workspace.first.data();
  Number* other = workspace.second.data();
  for (const Entry& entry : entries_) {
    if (entry.rounds) {
      for (std::size_t r = 0; r < rows; ++r) {
        norms[r] = NormBound(std::span<const Number>(x + r * entry.inputs, entry.inputs));
      }
      norms += norm_stride;
    }
    entry.step->Run(x, batch, y, workspace.scratch.data());
    x = y;
    std::swap(y, other);
  }
  return x;
}

template class StepSequence<float>;
template class StepSequence<double>;

}  // namespace lipserve
