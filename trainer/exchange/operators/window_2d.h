// SPDX-License-Identifier: Apache-2.0
// Windows of convolutions and poolings.
#ifndef TRAINER_EXCHANGE_OPERATORS_WINDOW_2D_H_
#define TRAINER_EXCHANGE_OPERATORS_WINDOW_2D_H_

#include <array>
#include <cstdint>

#include "trainer/exchange/operators/operator_call.h"

namespace lipserve::exchange {

// How a window slides along one axis.
struct WindowAxis {
  std::int64_t size = 1;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t before = 0;  // padding
  std::int64_t after = 0;
  std::int64_t length = 0;   // of the image
  std::int64_t outputs = 0;  // positions of the window

  std::int64_t extent() const { return dilation * (size - 1) + 1; }
  // Where output `i` reads through `tap`; outside of [0, length) it reads padding.
  std::int64_t Position(std::int64_t i, std::int64_t tap) const {
    return i * stride + tap * dilation - before;
  }
};

// The axes H and W of an operator on [N, C, H, W], or L of one on [N, C, L] as W with an H of 1.
using Window = std::array<WindowAxis, 2>;

// Reads kernel_shape (or takes `kernel`, the last dimensions of the weights), strides, dilations,
// pads and auto_pad of an operator whose input has 3 or 4 axes; with `ceil_mode`, outputs are
// rounded up. Records what does not fit.
Window ReadWindow(OperatorCall& call, const Dims& kernel, bool ceil_mode);

// Strides, dilations and paddings only, for an operator that computes its outputs otherwise.
Window ReadWindowAttributes(OperatorCall& call, const Dims& kernel);

// The dims of the output, with the rank of the input.
Dims WindowOutputDims(const OperatorCall& call, std::int64_t channels, const Window& window);

}  // namespace lipserve::exchange

#endif  // TRAINER_EXCHANGE_OPERATORS_WINDOW_2D_H_
