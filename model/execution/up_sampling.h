// SPDX-License-Identifier: Apache-2.0
// Up-sampling of channels-last images: each run of h w channels becomes a window of h x w positions
// (UpSamplingLayer). Numbers are moved, not computed.
//
// Threads: concurrent calls are safe if their outputs do not overlap.
#ifndef MODEL_EXECUTION_UP_SAMPLING_H_
#define MODEL_EXECUTION_UP_SAMPLING_H_

#include <cstddef>

#include "model/network/frozen_network.h"

namespace lipserve {

// Calls move(x index, y index) for every number of one sample of shape `input`.
//
// Requires: the window's positions divide the channels.
template <typename Move>
void ForEachUpSampled(const UpSamplingLayer& layer, const SampleShape& input, Move move) {
  const std::size_t window = layer.window_height * layer.window_width;
  const std::size_t channels = input.channels / window;
  const std::size_t out_width = input.width * layer.window_width;
  for (std::size_t i = 0; i < input.height; ++i) {
    for (std::size_t j = 0; j < input.width; ++j) {
      const std::size_t from = (i * input.width + j) * input.channels;
      for (std::size_t tap = 0; tap < window; ++tap) {
        const std::size_t row = i * layer.window_height + tap / layer.window_width;
        const std::size_t column = j * layer.window_width + tap % layer.window_width;
        const std::size_t to = (row * out_width + column) * channels;
        for (std::size_t c = 0; c < channels; ++c) move(from + c * window + tap, to + c);
      }
    }
  }
}

// Shapes: x: `input`, channels last; y: OutputShape(layer, input), channels last.
template <typename Number>
void UpSample(const UpSamplingLayer& layer, const SampleShape& input, const Number* x, Number* y) {
  ForEachUpSampled(layer, input, [&](std::size_t from, std::size_t to) { y[to] = x[from]; });
}

// The inverse, which is the transpose.
template <typename Number>
void UndoUpSampling(const UpSamplingLayer& layer, const SampleShape& input, const Number* y,
                    Number* x) {
  ForEachUpSampled(layer, input, [&](std::size_t from, std::size_t to) { x[from] = y[to]; });
}

}  // namespace lipserve

#endif  // MODEL_EXECUTION_UP_SAMPLING_H_
