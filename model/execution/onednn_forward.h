// SPDX-License-Identifier: Apache-2.0
// oneDNN's layers with frozen weights, without oneDNN's header (onednn.h).
//
//   const FrozenForward dense(PackDense(weights, bias, inputs, outputs), /*batch_size=*/4);
//   std::vector<std::byte> scratch(dense.scratch_bytes());
//   dense.Execute(x.data(), y.data(), scratch.data());
#ifndef MODEL_EXECUTION_ONEDNN_FORWARD_H_
#define MODEL_EXECUTION_ONEDNN_FORWARD_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "model/network/frozen_network.h"

namespace lipserve::onednn {

// The weights of one layer, shared by its batch sizes. They are reordered once to oneDNN's blocked
// layout; batch sizes whose layout agrees share one copy.
class PackedLayer;

// A dense layer, y = x W^T + b.
//
// Shapes:  x: [N, inputs], y: [N, outputs].
//
// weights: [outputs, inputs], row-major; must stay as they are until every FrozenForward is made.
// bias: [outputs] or empty; copied.
std::shared_ptr<PackedLayer> PackDense(std::span<const float> weights, std::span<const float> bias,
                                       std::size_t inputs, std::size_t outputs);

// A convolution of channels-last images. The weights of `layer` must stay as they are until every
// FrozenForward is made.
//
// Shapes:    x: [N, H, W, C], y: [N, output H, output W, output C].
// Source:    algorithm convolution_direct: each output is a sum of products in some order, as the
//            certificate's Lemma 1 requires. Winograd and FFT algorithms are not, so they are
//            refused.
// Layout:    oneDNN 2.6 itself chooses [N, H, W, C] on AVX-512 and has jitted direct kernels for it
//            on AVX2 too. For [N, C, H, W] it gathers windows and multiplies matrices.
// Requires:  CheckNetwork is OK for the network that contains `layer`; zero padding, or none.
std::shared_ptr<PackedLayer> PackConvolution(const ConvolutionLayer& layer);

// A layer with frozen weights for one batch size.
class FrozenForward {
 public:
  FrozenForward(std::shared_ptr<PackedLayer> layer, std::size_t batch_size);
  ~FrozenForward();
  FrozenForward(FrozenForward&&) noexcept;
  FrozenForward& operator=(FrozenForward&&) = delete;
  FrozenForward(const FrozenForward&) = delete;
  FrozenForward& operator=(const FrozenForward&) = delete;

  // Bytes of scratch memory that Execute needs; may be 0. The memory is the caller's, so that any
  // thread may execute.
  std::size_t scratch_bytes() const;

  // Name of oneDNN's implementation, e.g. "brgemm:avx512_core".
  std::string implementation() const;

  // x and y are of `batch_size` samples and do not overlap.
  //
  // Threads: concurrent calls are safe if their y and scratch do not overlap. Uses the calling
  //          thread's OpenMP team, which must have the size it had at construction.
  void Execute(const float* x, float* y, std::byte* scratch) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lipserve::onednn

#endif  // MODEL_EXECUTION_ONEDNN_FORWARD_H_
