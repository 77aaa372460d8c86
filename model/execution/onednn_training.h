// SPDX-License-Identifier: Apache-2.0
// oneDNN's convolutions with weights that change from step to step, and their gradients, without
// oneDNN's header (onednn.h).
#ifndef MODEL_EXECUTION_ONEDNN_TRAINING_H_
#define MODEL_EXECUTION_ONEDNN_TRAINING_H_

#include <cstddef>
#include <memory>
#include <string>

#include "model/network/frozen_network.h"

namespace lipserve::onednn {

// The convolution that the sizes of a ConvolutionLayer describe, for any batch size; the primitives
// for a batch size are created when it is first used.
//
//   Forward           y = T(w) x + b
//   BackwardData      dx = T(w)^T dy
//   BackwardWeights   dw = the gradient of <dy, T(w) x> in w,   db = dy summed over all positions
//
// Shapes:  x: [batch, H, W, C], y: [batch, output H, output W, output C], channels last as in
//          PackConvolution; w: as in ConvolutionLayer; b: [output C], or null for none. No
//          argument overlaps a result.
// Threads: not thread-safe; runs on the calling thread's OpenMP team. The same team size and
//          arguments give the same bytes.
class TrainableConvolution {
 public:
  // `layer` need not have weights.
  //
  // Requires: zero padding, or none; a window that fits in the padded image.
  explicit TrainableConvolution(const ConvolutionLayer& layer);
  ~TrainableConvolution();
  TrainableConvolution(const TrainableConvolution&) = delete;
  TrainableConvolution& operator=(const TrainableConvolution&) = delete;

  void Forward(std::size_t batch, const float* x, const float* weights, const float* bias,
               float* y);
  void BackwardData(std::size_t batch, const float* dy, const float* weights, float* dx);
  // `bias_gradient` is null if it is not needed.
  void BackwardWeights(std::size_t batch, const float* x, const float* dy, float* weights_gradient,
                       float* bias_gradient);

  // The most memory that the methods hold for a batch of this size, besides their arguments:
  // oneDNN's scratch memory and reordered weights. Its compiled kernels, some 100 KB each, are not
  // counted.
  std::size_t working_bytes(std::size_t batch);

  // Names of oneDNN's implementations for a batch size, in the order of the methods.
  std::string implementations(std::size_t batch);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lipserve::onednn

#endif  // MODEL_EXECUTION_ONEDNN_TRAINING_H_
