// SPDX-License-Identifier: Apache-2.0
#include "model/execution/convolution_float64.h"

#include <algorithm>
#include <array>
#include <span>

namespace lipserve {
namespace {

// Windows that share one pass over the weights.
constexpr std::size_t kWindowsAtOnce = 64;

// The weights of one group as [outputs, rows, columns, channels], the order in which a
// channels-last image is read.
std::vector<float> ChannelsLastWeights(const ConvolutionLayer& layer, std::size_t group) {
  const std::size_t outputs = layer.output_channels / layer.groups;
  const std::size_t channels = layer.input.channels / layer.groups;
  const std::size_t taps = layer.vertical.size * layer.horizontal.size;
  std::vector<float> weights(outputs * layer.fan_in());
  const float* from = layer.weights.data() + group * weights.size();
  for (std::size_t o = 0; o < outputs; ++o) {
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t tap = 0; tap < taps; ++tap) {
        weights[(o * taps + tap) * channels + c] = *from++;
      }
    }
  }
  return weights;
}

// Where the runs of a window begin in the padded image, relative to its first tap.
std::vector<std::size_t> RunStarts(const ConvolutionLayer& layer) {
  const std::size_t channels = layer.input.channels;
  const std::size_t row = layer.padded_input().width * channels;
  const bool taps_touch = layer.groups == 1 && layer.horizontal.dilation == 1;
  std::vector<std::size_t> starts;
  for (std::size_t u = 0; u < layer.vertical.size; ++u) {
    for (std::size_t v = 0; v < (taps_touch ? 1 : layer.horizontal.size); ++v) {
      starts.push_back(u * layer.vertical.dilation * row +
                       v * layer.horizontal.dilation * channels);
    }
  }
  return starts;
}

}  // namespace

ConvolutionFloat64::ConvolutionFloat64(const ConvolutionLayer& layer)
    : input_size_(layer.input.size()),
      group_inputs_(layer.input.channels / layer.groups),
      output_(layer.output()),
      padding_(layer) {
  const std::size_t outputs = layer.output_channels / layer.groups;
  for (std::size_t group = 0; group < layer.groups; ++group) {
    std::span<const float> bias(layer.bias);
    if (!bias.empty()) bias = bias.subspan(group * outputs, outputs);
    groups_.emplace_back(ChannelsLastWeights(layer, group), bias, outputs, RunStarts(layer));
  }
  for (std::size_t i = 0; i < output_.height; ++i) {
    for (std::size_t j = 0; j < output_.width; ++j) {
      window_starts_.push_back((i * layer.vertical.stride * padding_.padded_shape().width +
                                j * layer.horizontal.stride) *
                               layer.input.channels);
    }
  }
}

std::size_t ConvolutionFloat64::scratch_size() const {
  return padding_.is_empty() ? 0 : padding_.padded_shape().size();
}

void ConvolutionFloat64::Run(const double* x, std::size_t rows, double* y, double* scratch) const {
  for (std::size_t r = 0; r < rows; ++r, x += input_size_, y += output_.size()) {
    if (!padding_.is_empty()) padding_.Copy(x, scratch);
    RunSample(padding_.is_empty() ? x : scratch, y);
  }
}

void ConvolutionFloat64::RunSample(const double* padded, double* y) const {
  std::array<const double*, kWindowsAtOnce> windows;
  for (std::size_t first = 0; first < window_starts_.size(); first += kWindowsAtOnce) {
    const std::size_t count = std::min(kWindowsAtOnce, window_starts_.size() - first);
    for (std::size_t p = 0; p < count; ++p) windows[p] = padded + window_starts_[first + p];
    double* target = y + first * output_.channels;
    for (const ChainedProducts& group : groups_) {
      group.Run({windows.data(), count}, target, output_.channels);
      target += group.outputs();
      for (std::size_t p = 0; p < count; ++p) windows[p] += group_inputs_;
    }
  }
}

}  // namespace lipserve
