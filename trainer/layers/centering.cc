// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/centering.h"

#include <algorithm>
#include <cassert>

#include "trainer/constraints/freezing_rounding.h"

namespace lipserve::trainer {
namespace {

// The mean of each channel over `values`, whole positions of a channels-last image or of several.
std::vector<float> ChannelMeans(const float* values, std::size_t positions, std::size_t channels) {
  std::vector<double> sums(channels, 0.0);
  for (std::size_t p = 0; p < positions; ++p) {
    for (std::size_t c = 0; c < channels; ++c) {
      sums[c] += static_cast<double>(values[p * channels + c]);
    }
  }
  std::vector<float> means(channels);
  std::transform(sums.begin(), sums.end(), means.begin(), [positions](double sum) {
    return static_cast<float>(sum / static_cast<double>(positions));
  });
  return means;
}

// to = from - shift of its channel.
void Subtract(const float* from, std::size_t positions, const std::vector<float>& shift,
              float* to) {
  for (std::size_t p = 0; p < positions; ++p) {
    for (std::size_t c = 0; c < shift.size(); ++c) *to++ = *from++ - shift[c];
  }
}

// shift - bias, if there is one.
std::vector<float> SubtractBias(std::vector<float> shift,
                                const std::vector<Parameter>& parameters) {
  for (std::size_t c = 0; c < shift.size() && !parameters.empty(); ++c) {
    shift[c] -= parameters[0].values[c];
  }
  return shift;
}

void AddBiasParameter(bool use_bias, std::size_t channels, std::vector<Parameter>& parameters) {
  if (use_bias) parameters.push_back(MakeParameter("bias", std::vector<float>(channels)));
}

void SetBiasGradient(ConstMatrixView dy, std::vector<Parameter>& parameters) {
  if (parameters.empty()) return;
  std::vector<float>& gradient = parameters[0].gradient;
  const std::size_t positions = dy.size() / gradient.size();
  gradient = ChannelMeans(dy.data, positions, gradient.size());
  for (float& value : gradient) value *= static_cast<float>(positions);
}

// A convolution of each channel by itself, `weights` for all alike.
ConvolutionLayer ChannelByChannel(const SampleShape& shape, const std::vector<float>& weights) {
  ConvolutionLayer layer{.input = shape,
                         .output_channels = shape.channels,
                         .groups = shape.channels,
                         .padding_mode = PaddingMode::kCircular};
  for (std::size_t c = 0; c < shape.channels; ++c) {
    layer.weights.insert(layer.weights.end(), weights.begin(), weights.end());
  }
  return layer;
}

}  // namespace

LayerCentering::LayerCentering(SampleShape shape, bool use_bias) : shape_(shape) {
  AddBiasParameter(use_bias, shape.channels, parameters_);
}

void LayerCentering::Forward(ConstMatrixView x, MatrixView y) {
  const std::size_t area = shape_.height * shape_.width;
  for (std::size_t r = 0; r < x.rows; ++r) {
    const float* image = x.data + r * x.cols;
    Subtract(image, area, SubtractBias(ChannelMeans(image, area, shape_.channels), parameters_),
             y.data + r * y.cols);
  }
}

void LayerCentering::Backward(ConstMatrixView /*x*/, ConstMatrixView /*y*/, ConstMatrixView dy,
                              MatrixView dx) {
  SetBiasGradient(dy, parameters_);
  if (dx.data == nullptr) return;
  const std::size_t area = shape_.height * shape_.width;
  for (std::size_t r = 0; r < dy.rows; ++r) {
    const float* image = dy.data + r * dy.cols;
    Subtract(image, area, ChannelMeans(image, area, shape_.channels), dx.data + r * dx.cols);
  }
}

FrozenLayer LayerCentering::Freeze() const {
  const double n = static_cast<double>(shape_.height * shape_.width);
  std::vector<float> weights(shape_.height * shape_.width, static_cast<float>(-1.0 / n));
  weights[0] = static_cast<float>(1.0 - 1.0 / n);
  ConvolutionLayer frozen = ChannelByChannel(shape_, weights);
  frozen.vertical = {.size = shape_.height, .padding_after = shape_.height - 1};
  frozen.horizontal = {.size = shape_.width, .padding_after = shape_.width - 1};
  if (!parameters_.empty()) {
    for (const float b : parameters_[0].values) {
      frozen.bias.push_back(RoundForFreezing(static_cast<double>(b)));
    }
  }
  return frozen;
}

BatchCentering::BatchCentering(SampleShape shape, bool use_bias, float momentum)
    : shape_(shape), momentum_(momentum) {
  assert(momentum > 0.0F && momentum <= 1.0F);
  AddBiasParameter(use_bias, shape.channels, parameters_);
  states_.push_back({"running_mean", std::vector<float>(shape.channels)});
}

void BatchCentering::Forward(ConstMatrixView x, MatrixView y) {
  const std::size_t positions = x.size() / shape_.channels;
  std::vector<float>& running = states_[0].values;
  std::vector<float> mean = running;
  if (training_) {
    mean = ChannelMeans(x.data, positions, shape_.channels);
    for (std::size_t c = 0; c < mean.size(); ++c) running[c] += momentum_ * (mean[c] - running[c]);
  }
  Subtract(x.data, positions, SubtractBias(std::move(mean), parameters_), y.data);
}

void BatchCentering::Backward(ConstMatrixView /*x*/, ConstMatrixView /*y*/, ConstMatrixView dy,
                              MatrixView dx) {
  SetBiasGradient(dy, parameters_);
  if (dx.data == nullptr) return;
  const std::size_t positions = dy.size() / shape_.channels;
  Subtract(dy.data, positions, ChannelMeans(dy.data, positions, shape_.channels), dx.data);
}

FrozenLayer BatchCentering::Freeze() const {
  ConvolutionLayer frozen = ChannelByChannel(shape_, {1.0F});
  for (std::size_t c = 0; c < shape_.channels; ++c) {
    double bias = -static_cast<double>(states_[0].values[c]);
    if (!parameters_.empty()) bias += static_cast<double>(parameters_[0].values[c]);
    frozen.bias.push_back(RoundForFreezing(bias));
  }
  return frozen;
}

}  // namespace lipserve::trainer
