// SPDX-License-Identifier: Apache-2.0
// oneDNN's convolutions, without oneDNN's header (onednn.h).
#ifndef MODEL_EXECUTION_ONEDNN_CONVOLUTION_H_
#define MODEL_EXECUTION_ONEDNN_CONVOLUTION_H_

#include <cstddef>
#include <memory>
#include <string>

#include "model/network/frozen_network.h"

namespace lipserve::onednn {

// A convolution with frozen weights for one batch size, on channels-last images.
//
// Source:    algorithm convolution_direct: each output is a sum of products in some order, as the
//            certificate's Lemma 1 requires. Winograd and FFT algorithms are not, so they are
//            refused.
// Layout:    [N, H, W, C]. oneDNN 2.6 itself chooses this layout on AVX-512 and has jitted direct
//            kernels for it on AVX2 too. For [N, C, H, W] it gathers windows and multiplies
//            matrices.
//
// Weights are reordered once to oneDNN's blocked layout; instances whose layout agrees share one
// copy. Scratch memory is the caller's, so that any thread may execute.
class ConvolutionForward {
 public:
  // The reordered weights of one layer, shared by its batch sizes.
  class Weights;

  // Copies what it needs of `layer`.
  //
  // Requires: CheckNetwork is OK for the network that contains `layer`; zero padding, or none.
  static std::shared_ptr<Weights> PackWeights(const ConvolutionLayer& layer);

  ConvolutionForward(std::shared_ptr<Weights> shared_weights, std::size_t batch_size);
  ~ConvolutionForward();
  ConvolutionForward(ConvolutionForward&&) noexcept;
  ConvolutionForward& operator=(ConvolutionForward&&) = delete;
  ConvolutionForward(const ConvolutionForward&) = delete;
  ConvolutionForward& operator=(const ConvolutionForward&) = delete;

  // Bytes of scratch memory that Execute needs; may be 0.
  std::size_t scratch_bytes() const;

  // Name of oneDNN's implementation, e.g. "brgconv:avx512_core".
  std::string implementation() const;

  // Shapes:  x: [batch_size, H, W, C], y: [batch_size, output H, output W, output C], no overlap.
  // Threads: concurrent calls are safe if their y and scratch do not overlap. Uses the calling
  //          thread's OpenMP team, which must have the size it had at construction.
  void Execute(const float* x, float* y, std::byte* scratch) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lipserve::onednn

#endif  // MODEL_EXECUTION_ONEDNN_CONVOLUTION_H_
