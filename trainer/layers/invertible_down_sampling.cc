// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/invertible_down_sampling.h"

#include <cassert>

namespace lipserve::trainer {

InvertibleDownSampling::InvertibleDownSampling(SampleShape input, std::size_t window_height,
                                               std::size_t window_width)
    : input_(input), window_height_(window_height), window_width_(window_width) {
  assert(input.height % window_height == 0 && input.width % window_width == 0);
}

SampleShape InvertibleDownSampling::output_shape() const {
  return {.channels = input_.channels * window_height_ * window_width_,
          .height = input_.height / window_height_,
          .width = input_.width / window_width_};
}

template <typename Visit>
void InvertibleDownSampling::ForEachNumber(Visit visit) const {
  const SampleShape output = output_shape();
  for (std::size_t i = 0; i < input_.height; ++i) {
    for (std::size_t j = 0; j < input_.width; ++j) {
      const std::size_t tap = i % window_height_ * window_width_ + j % window_width_;
      const std::size_t window = i / window_height_ * output.width + j / window_width_;
      for (std::size_t c = 0; c < input_.channels; ++c) {
        visit((i * input_.width + j) * input_.channels + c,
              window * output.channels + c * window_height_ * window_width_ + tap);
      }
    }
  }
}

void InvertibleDownSampling::Forward(ConstMatrixView x, MatrixView y) {
  for (std::size_t r = 0; r < x.rows; ++r) {
    const float* from = x.data + r * x.cols;
    float* to = y.data + r * y.cols;
    ForEachNumber([&](std::size_t x_index, std::size_t y_index) { to[y_index] = from[x_index]; });
  }
}

void InvertibleDownSampling::Backward(ConstMatrixView /*x*/, ConstMatrixView /*y*/,
                                      ConstMatrixView dy, MatrixView dx) {
  if (dx.data == nullptr) return;
  for (std::size_t r = 0; r < dx.rows; ++r) {
    const float* from = dy.data + r * dy.cols;
    float* to = dx.data + r * dx.cols;
    ForEachNumber([&](std::size_t x_index, std::size_t y_index) { to[x_index] = from[y_index]; });
  }
}

FrozenLayer InvertibleDownSampling::Freeze() const {
  const std::size_t taps = window_height_ * window_width_;
  ConvolutionLayer frozen{.input = input_,
                          .output_channels = input_.channels * taps,
                          .groups = input_.channels,
                          .vertical = {.size = window_height_, .stride = window_height_},
                          .horizontal = {.size = window_width_, .stride = window_width_},
                          .weights = std::vector<float>(input_.channels * taps * taps, 0.0F)};
  for (std::size_t o = 0; o < frozen.output_channels; ++o) {
    frozen.weights[o * taps + o % taps] = 1.0F;
  }
  return frozen;
}

}  // namespace lipserve::trainer
