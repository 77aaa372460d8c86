// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: these products decide classes and margins.
//
// A convolution with float32 weights and float64 arithmetic. Windows are not gathered: the kernel
// reads them in place from the padded image, one run of numbers per tap or, where the taps of a row
// of the window touch, per row.
//
// Guarantee: that of ChainedProducts, n = fan-in, for each output; a sample's result does not
//            depend on its batch.
#ifndef MODEL_EXECUTION_CONVOLUTION_FLOAT64_H_
#define MODEL_EXECUTION_CONVOLUTION_FLOAT64_H_

#include <cstddef>
#include <vector>

#include "model/execution/chained_products.h"
#include "model/execution/image_padding.h"
#include "model/network/frozen_network.h"

namespace lipserve {

// Threads: immutable; concurrent calls are safe if their y and scratch do not overlap.
class ConvolutionFloat64 {
 public:
  // Requires: CheckNetwork is OK for the network that contains `layer`.
  explicit ConvolutionFloat64(const ConvolutionLayer& layer);

  // Numbers of scratch memory that Run needs; may be 0.
  std::size_t scratch_size() const;

  // Shapes: x: [rows, H, W, C], y: [rows, output H, output W, output C], no overlap.
  void Run(const double* x, std::size_t rows, double* y, double* scratch) const;

 private:
  void RunSample(const double* padded, double* y) const;

  std::size_t input_size_;
  std::size_t group_inputs_;
  SampleShape output_;
  ImagePadding padding_;
  std::vector<ChainedProducts> groups_;
  std::vector<std::size_t> window_starts_;  // of each output position, in the padded image
};

}  // namespace lipserve

#endif  // MODEL_EXECUTION_CONVOLUTION_FLOAT64_H_
