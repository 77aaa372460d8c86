// SPDX-License-Identifier: Apache-2.0
// The linear part of a dense layer or a convolution. Every call passes the weights. For layers
// whose weights act more than once in a step, or on vectors that are no samples, as in a power
// iteration.
#ifndef TRAINER_CONSTRAINTS_LINEAR_MAP_H_
#define TRAINER_CONSTRAINTS_LINEAR_MAP_H_

#include <cstddef>
#include <memory>

#include "model/network/frozen_network.h"

namespace lipserve::trainer {

// T(w), its transpose, and the gradient in w.
//
// Shapes:  x, dx: [batch, inputs()], y, dy: [batch, outputs()], images channels last; w, dw: the
//          weights of a DenseLayer or a ConvolutionLayer; b, db: one number for each unit or output
//          channel, or null for none. No argument overlaps a result.
// Threads: not thread-safe; runs on the calling thread's OpenMP team.
class LinearMap {
 public:
  virtual ~LinearMap() = default;

  virtual std::size_t inputs() const = 0;
  virtual std::size_t outputs() const = 0;
  virtual std::size_t weights() const = 0;
  // Channels last; a vector is one position. Groups of channels are independent of each other.
  virtual std::size_t input_channels() const = 0;
  virtual std::size_t output_channels() const = 0;
  virtual std::size_t groups() const = 0;

  // y = T(w) x + b.
  virtual void Forward(std::size_t batch, const float* x, const float* w, const float* b,
                       float* y) = 0;
  // dx = T(w)^T dy.
  virtual void BackwardData(std::size_t batch, const float* dy, const float* w, float* dx) = 0;
  // dw = the gradient of <dy, T(w) x> in w, db = dy summed over samples and positions.
  virtual void BackwardWeights(std::size_t batch, const float* x, const float* dy, float* dw,
                               float* db) = 0;

  // The memory that the map holds for batches of this size, besides the arguments.
  virtual std::size_t BatchBytes(std::size_t batch) = 0;
};

// The map of a layer. The layer need not have weights; every padding mode is allowed.
std::unique_ptr<LinearMap> MakeLinearMap(const DenseLayer& layer);
std::unique_ptr<LinearMap> MakeLinearMap(const ConvolutionLayer& layer);

}  // namespace lipserve::trainer

#endif  // TRAINER_CONSTRAINTS_LINEAR_MAP_H_
