// SPDX-License-Identifier: Apache-2.0
// A differentiable layer. Its trainable parameters may be unconstrained: the layer computes from
// them the effective, Lipschitz-constrained weights that act on the data.
//
// Example: one training step.
//   layer.PrepareStep(true);           // effective weights
//   layer.Forward(x, y);
//   layer.Backward(x, y, dy, dx);
//   layer.FinishStep();                // gradients of the parameters
#ifndef TRAINER_LAYERS_LAYER_H_
#define TRAINER_LAYERS_LAYER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/network/frozen_network.h"
#include "model/network/matrix_view.h"

namespace lipserve::trainer {

// An array that the optimiser changes, and the loss's gradient with respect to it.
struct Parameter {
  std::string name;             // unique within its layer, e.g. "kernel"
  std::vector<float> values;    // row-major
  std::vector<float> gradient;  // same size
  // If not 0, the values are a matrix with this many rows. After every update its rows must be
  // orthonormal, or its columns if there are fewer of them.
  std::size_t orthogonal_rows = 0;
};

inline Parameter MakeParameter(std::string name, std::vector<float> values) {
  std::vector<float> gradient(values.size());
  return {std::move(name), std::move(values), std::move(gradient)};
}

// An array that is neither trained nor derivable from the parameters, such as the vector of a
// power iteration. A checkpoint must hold it.
struct State {
  std::string name;
  std::vector<float> values;
};

// Order of calls in one step: PrepareStep, Forward, Backward, FinishStep. Evaluation: PrepareStep,
// then Forward as often as needed.
//
// Threads: not thread-safe.
class Layer {
 public:
  virtual ~Layer() = default;

  // For the summary table, e.g. "SpectralDense".
  virtual std::string type() const = 0;
  virtual SampleShape output_shape() const = 0;

  // Whether y is x in another shape. Then the network calls neither Forward nor Backward and passes
  // its buffers on.
  virtual bool IsView() const { return false; }

  // Computes the effective weights from the parameters. With `training`, also advances the state
  // (power iterations) and keeps what Backward needs; without it, changes no state.
  virtual void PrepareStep(bool training) = 0;

  // Shapes: x: [N, input size], y: [N, output size], no overlap unless the layer says so.
  virtual void Forward(ConstMatrixView x, MatrixView y) = 0;

  // Adds nothing: overwrites dx and the gradient of the effective weights. `x` and `y` are those of
  // the last Forward; dx.data may be null if dx is not needed.
  virtual void Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy,
                        MatrixView dx) = 0;

  // Carries the gradient of the effective weights back to the parameters' gradients.
  virtual void FinishStep() = 0;

  // The frozen layer for the current parameters. Its weights are refined in float64 and rounded
  // once to float32, subnormals flushed to zero. claimed_operator_norm_bound is left 0 for the
  // freezer.
  virtual FrozenLayer Freeze() const = 0;

  // The layers that replace this one in a frozen network: a single one, except for blocks of
  // layers.
  virtual std::vector<FrozenLayer> FreezeToChain() const { return {Freeze()}; }

  // The layers of a block, which have parameters and states of their own.
  virtual std::vector<Layer*> InnerLayers() const { return {}; }

  // The memory that the layer adds for batches of this size, besides x, y, their gradients and what
  // it holds when created.
  virtual std::size_t BatchBytes(std::size_t /*batch*/) { return 0; }

  std::vector<Parameter>& parameters() { return parameters_; }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  std::vector<State>& states() { return states_; }
  const std::vector<State>& states() const { return states_; }

 protected:
  std::vector<Parameter> parameters_;
  std::vector<State> states_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_LAYERS_LAYER_H_
