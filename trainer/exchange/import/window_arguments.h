// SPDX-License-Identifier: Apache-2.0
// Reads the windows and kernels of Conv, ConvTranspose and pools.
#ifndef TRAINER_EXCHANGE_IMPORT_WINDOW_ARGUMENTS_H_
#define TRAINER_EXCHANGE_IMPORT_WINDOW_ARGUMENTS_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "model/network/window.h"
#include "trainer/exchange/import/node_arguments.h"
#include "trainer/exchange/import/view.h"

namespace lipserve::exchange {

struct Window {
  WindowAxis vertical;
  WindowAxis horizontal;
};

// The window of a node that reads images of `dims`, [C, H, W]; kernel sizes are given, or those of
// kernel_shape if 0. A node of sequences has one axis, the horizontal one.
//
// Errors: InvalidArgument if an attribute has another length or is out of range.
absl::StatusOr<Window> ReadWindow(const NodeArguments& arguments, const Dims& dims,
                                  std::size_t height = 0, std::size_t width = 0);

struct ConvolutionWeights {
  std::size_t outputs = 0;
  std::size_t inputs = 0;  // of a group
  std::size_t groups = 1;
  std::size_t height = 0;
  std::size_t width = 0;
  std::vector<double> weights;  // [outputs, inputs, height, width]
  std::vector<double> bias;     // [outputs]
};

// The kernel of a Conv.
//
// Errors: InvalidArgument if weights or bias are not constant or do not fit.
absl::StatusOr<ConvolutionWeights> ReadKernel(const NodeArguments& arguments);

// The kernel of the convolution that a ConvTranspose of stride 1 is: reversed, with inputs and
// outputs exchanged.
//
// Errors: as above.
absl::StatusOr<ConvolutionWeights> ReadTransposedKernel(const NodeArguments& arguments);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_IMPORT_WINDOW_ARGUMENTS_H_
