// SPDX-License-Identifier: Apache-2.0
#include "model/execution/layer_step.h"

#include <algorithm>
#include <cassert>
#include <span>
#include <utility>

#include "model/arithmetic/vector_norm.h"

namespace lipserve {
namespace {

template <typename Number>
void Add(const Number* x, const Number* z, std::size_t size, Number* y) {
  for (std::size_t k = 0; k < size; ++k) y[k] = x[k] + z[k];
}

}  // namespace

template <typename Number>
typename StepSequence<Number>::Source StepSequence<Number>::Append(
    std::unique_ptr<const LayerStep<Number>> step, Source x, std::size_t outputs, bool rounds) {
  assert(x < sizes_.size());
  scratch_bytes_ = std::max(scratch_bytes_, step->scratch_bytes());
  widest_ = std::max(widest_, outputs);
  if (rounds) ++num_rounding_layers_;
  entries_.push_back({.step = std::move(step), .x = x, .z = x, .rounds = rounds, .buffer = 0});
  sizes_.push_back(outputs);
  return entries_.size();
}

template <typename Number>
typename StepSequence<Number>::Source StepSequence<Number>::AppendSum(Source x, Source z) {
  assert(x < sizes_.size() && z < sizes_.size() && sizes_[x] == sizes_[z]);
  widest_ = std::max(widest_, sizes_[x]);
  ++num_rounding_layers_;
  entries_.push_back({.step = nullptr, .x = x, .z = z, .rounds = true, .buffer = 0});
  sizes_.push_back(sizes_[x]);
  return entries_.size();
}

template <typename Number>
void StepSequence<Number>::AssignBuffers() {
  std::vector<std::size_t> last_reader(sizes_.size());  // of each source
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    last_reader[entries_[i].x] = i;
    last_reader[entries_[i].z] = i;
  }
  std::vector<std::size_t> free;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (free.empty()) free.push_back(num_buffers_++);
    entry.buffer = free.back();
    free.pop_back();
    // A step does not write over what it reads, so its sources are free after it.
    const auto release = [&](Source source) {
      if (source != kInput && last_reader[source] == i) {
        free.push_back(entries_[source - 1].buffer);
      }
    };
    release(entry.x);
    if (entry.z != entry.x) release(entry.z);
  }
}

template <typename Number>
typename StepSequence<Number>::Workspace StepSequence<Number>::NewWorkspace(
    std::size_t max_batch) const {
  Workspace workspace{.inputs = std::vector<Number>(max_batch * sizes_[kInput]),
                      .buffers = {},
                      .scratch = std::vector<std::byte>(scratch_bytes_)};
  while (workspace.buffers.size() < num_buffers_) {
    workspace.buffers.emplace_back(max_batch * widest_);
  }
  return workspace;
}

template <typename Number>
const Number* StepSequence<Number>::Run(const Number* x, std::size_t rows, std::size_t batch,
                                        Workspace& workspace, Upper* norms,
                                        std::size_t norm_stride) const {
  assert(rows <= batch && rows <= norm_stride && workspace.buffers.size() == num_buffers_);
  const auto numbers_of = [&](Source source) {
    return source == kInput ? x : workspace.buffers[entries_[source - 1].buffer].data();
  };
  const auto norm_of = [&](Source source, std::size_t row) {
    const std::size_t size = sizes_[source];
    return NormBound(std::span<const Number>(numbers_of(source) + row * size, size));
  };
  for (const Entry& entry : entries_) {
    const bool is_sum = entry.step == nullptr;
    if (entry.rounds) {
      for (std::size_t r = 0; r < rows; ++r) {
        norms[r] = is_sum ? norm_of(entry.x, r) + norm_of(entry.z, r) : norm_of(entry.x, r);
      }
      norms += norm_stride;
    }
    Number* const y = workspace.buffers[entry.buffer].data();
    if (is_sum) {
      Add(numbers_of(entry.x), numbers_of(entry.z), batch * sizes_[entry.x], y);
    } else {
      entry.step->Run(numbers_of(entry.x), batch, y, workspace.scratch.data());
    }
  }
  return numbers_of(entries_.size());
}

template class StepSequence<float>;
template class StepSequence<double>;

}  // namespace lipserve
