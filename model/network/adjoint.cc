// SPDX-License-Identifier: Apache-2.0
#include "model/network/adjoint.h"

#include <cassert>
#include <cstddef>
#include <utility>

namespace lipserve {
namespace {

WindowAxis Reversed(WindowAxis axis) {
  std::swap(axis.padding_before, axis.padding_after);
  return axis;
}

bool KeepsPositions(const WindowAxis& axis) {
  return axis.stride == 1 && axis.padding_before + axis.padding_after == axis.extent() - 1;
}

}  // namespace

bool KeepsPositions(const ConvolutionLayer& layer) {
  return KeepsPositions(layer.vertical) && KeepsPositions(layer.horizontal) &&
         (layer.padding_mode == PaddingMode::kZero || layer.padding_mode == PaddingMode::kCircular);
}

DenseLayer Adjoint(const DenseLayer& layer) {
  DenseLayer adjoint{.inputs = layer.outputs,
                     .outputs = layer.inputs,
                     .weights = std::vector<float>(layer.weights.size()),
                     .bias = {},
                     .claimed_operator_norm_bound = layer.claimed_operator_norm_bound};
  for (std::size_t o = 0; o < layer.outputs; ++o) {
    for (std::size_t k = 0; k < layer.inputs; ++k) {
      adjoint.weights[k * layer.outputs + o] = layer.weights[o * layer.inputs + k];
    }
  }
  return adjoint;
}

ConvolutionLayer Adjoint(const ConvolutionLayer& layer) {
  assert(KeepsPositions(layer));
  ConvolutionLayer adjoint = layer;
  adjoint.input = layer.output();
  adjoint.output_channels = layer.input.channels;
  adjoint.vertical = Reversed(layer.vertical);
  adjoint.horizontal = Reversed(layer.horizontal);
  adjoint.bias.clear();
  const std::size_t taps = layer.vertical.size * layer.horizontal.size;
  const std::size_t inputs = layer.input.channels / layer.groups;
  const std::size_t outputs = layer.output_channels / layer.groups;
  for (std::size_t g = 0; g < layer.groups; ++g) {
    for (std::size_t o = 0; o < outputs; ++o) {
      for (std::size_t c = 0; c < inputs; ++c) {
        const float* const kernel = &layer.weights[((g * outputs + o) * inputs + c) * taps];
        float* const reversed = &adjoint.weights[((g * inputs + c) * outputs + o) * taps];
        for (std::size_t t = 0; t < taps; ++t) reversed[taps - 1 - t] = kernel[t];
      }
    }
  }
  return adjoint;
}

}  // namespace lipserve
