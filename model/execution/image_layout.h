// SPDX-License-Identifier: Apache-2.0
// Conversion to and from channels-last samples. Callers give a sample as [C, H, W] in row-major
// order. Inside an evaluation it is [H, W, C], so that the channels of a position are neighbours.
// Then GroupSort sorts neighbours, a window's tap is one run of numbers, and oneDNN chooses its
// fast convolutions.
//
// Threads: concurrent calls are safe if their outputs do not overlap.
#ifndef MODEL_EXECUTION_IMAGE_LAYOUT_H_
#define MODEL_EXECUTION_IMAGE_LAYOUT_H_

#include <algorithm>
#include <cstddef>

#include "model/network/frozen_network.h"

namespace lipserve {

// Whether both layouts of `shape` are the same.
inline bool HasOneLayout(const SampleShape& shape) {
  return shape.channels == 1 || shape.height * shape.width == 1;
}

// Where number k of a row-major [C, H, W] lies in [H, W, C].
inline std::size_t ChannelsLastIndex(const SampleShape& shape, std::size_t k) {
  const std::size_t area = shape.height * shape.width;
  return k % area * shape.channels + k / area;
}

// [C, H, W] to [H, W, C], for `samples` of them; exact: To is From or wider.
template <typename From, typename To>
void ToChannelsLast(const From* x, const SampleShape& shape, std::size_t samples, To* y) {
  if (HasOneLayout(shape)) {
    std::copy_n(x, samples * shape.size(), y);
    return;
  }
  const std::size_t area = shape.height * shape.width;
  for (std::size_t s = 0; s < samples; ++s, x += shape.size(), y += shape.size()) {
    for (std::size_t c = 0; c < shape.channels; ++c) {
      for (std::size_t p = 0; p < area; ++p) {
        y[p * shape.channels + c] = static_cast<To>(x[c * area + p]);
      }
    }
  }
}

// [H, W, C] to [C, H, W], for `samples` of them.
template <typename Number>
void ToRowMajor(const Number* x, const SampleShape& shape, std::size_t samples, Number* y) {
  const std::size_t area = shape.height * shape.width;
  for (std::size_t s = 0; s < samples; ++s, x += shape.size(), y += shape.size()) {
    for (std::size_t p = 0; p < area; ++p) {
      for (std::size_t c = 0; c < shape.channels; ++c) y[c * area + p] = x[p * shape.channels + c];
    }
  }
}

}  // namespace lipserve

#endif  // MODEL_EXECUTION_IMAGE_LAYOUT_H_
