// SPDX-License-Identifier: Apache-2.0
// LayerStep is one layer of a frozen network, ready to run in float32 or float64. StepSequence runs
// the steps of a whole network.
#ifndef MODEL_EXECUTION_LAYER_STEP_H_
#define MODEL_EXECUTION_LAYER_STEP_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "model/arithmetic/outward_rounding.h"

namespace lipserve {

// Computes one layer for batches of channels-last samples (image_layout.h).
//
// Threads: immutable; concurrent Run calls are safe if their y and scratch do not overlap.
template <typename Number>
class LayerStep {
 public:
  LayerStep() = default;
  virtual ~LayerStep() = default;
  LayerStep(const LayerStep&) = delete;
  LayerStep& operator=(const LayerStep&) = delete;

  // Shapes: x: [rows, size before the layer], y: [rows, size after it], no overlap; scratch:
  //         scratch_bytes().
  virtual void Run(const Number* x, std::size_t rows, Number* y, std::byte* scratch) const = 0;

  // Bytes of scratch memory that Run needs for any number of rows that it may be given.
  virtual std::size_t scratch_bytes() const { return 0; }
};

// The steps of a network, in an order in which each reads what earlier ones made.
//
// Threads: immutable once built; concurrent Run calls are safe with different workspaces.
template <typename Number>
class StepSequence {
 public:
  // Numbers that a step reads: the input, or what an earlier step made.
  using Source = std::size_t;
  static constexpr Source kInput = 0;

  // Buffers of one thread.
  struct Workspace {
    std::vector<Number> inputs;  // [max_batch, input size], for callers that must write them out
    std::vector<std::vector<Number>> buffers;  // [max_batch, widest step] each, used in turn
    std::vector<std::byte> scratch;
  };

  explicit StepSequence(std::size_t input_size) : sizes_({input_size}) {}

  // Appends a step that reads `x` and makes `outputs` numbers. `rounds`: whether it is a rounding
  // layer (frozen_network.h).
  Source Append(std::unique_ptr<const LayerStep<Number>> step, Source x, std::size_t outputs,
                bool rounds);
  // Appends the sum of two sources of one size, a rounding layer.
  Source AppendSum(Source x, Source z);
  // Gives each result a buffer that no other needs at the same time. Call it last.
  void AssignBuffers();

  std::size_t num_rounding_layers() const { return num_rounding_layers_; }
  // The most numbers per sample that a step makes.
  std::size_t widest() const { return widest_; }
  std::size_t num_buffers() const { return num_buffers_; }
  Workspace NewWorkspace(std::size_t max_batch) const;

  // Runs all steps on x, and reports for each rounding layer l and each of the first `rows` samples
  // r a bound of the norm of what that layer read, for a sum the sum of two: norms[l * norm_stride
  // + r]. Returns the scores, [batch, S], which lie in the workspace.
  //
  // Shapes:   x: [batch, input size], channels last; may be workspace.inputs.
  // Requires: rows <= batch <= max_batch of the workspace.
  const Number* Run(const Number* x, std::size_t rows, std::size_t batch, Workspace& workspace,
                    Upper* norms, std::size_t norm_stride) const;

 private:
  struct Entry {
    std::unique_ptr<const LayerStep<Number>> step;  // none for a sum
    Source x;
    Source z;  // of a sum
    bool rounds;
    std::size_t buffer;  // of what it makes
  };

  std::vector<std::size_t> sizes_;  // of a sample of each source: the input, and each step's
  std::size_t widest_ = 0;
  std::size_t num_rounding_layers_ = 0;
  std::size_t num_buffers_ = 0;
  std::size_t scratch_bytes_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace lipserve

#endif  // MODEL_EXECUTION_LAYER_STEP_H_
