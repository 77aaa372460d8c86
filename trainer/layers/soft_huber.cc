// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/soft_huber.h"

#include <cassert>
#include <cmath>
#include <cstddef>

namespace lipserve::trainer {
namespace {

// Multiplies each channel by the weights of `copies` outputs.
ConvolutionLayer EachChannel(const SampleShape& shape, std::size_t copies) {
  ConvolutionLayer layer;
  layer.input = shape;
  layer.output_channels = copies * shape.channels;
  layer.groups = shape.channels;
  return layer;
}

}  // namespace

void SoftHuber::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == shape_.size() && x.size() == y.size());
  for (std::size_t k = 0; k < x.size(); ++k) {
    y.data[k] = std::sqrt(x.data[k] * x.data[k] + delta_ * delta_) - delta_;
  }
}

void SoftHuber::Backward(ConstMatrixView x, ConstMatrixView y, ConstMatrixView dy, MatrixView dx) {
  if (dx.data == nullptr) return;
  for (std::size_t k = 0; k < x.size(); ++k) {
    dx.data[k] = x.data[k] / (y.data[k] + delta_) * dy.data[k];
  }
}

FrozenLayer SoftHuber::Freeze() const {
  assert(false);
  return FreezeToChain().front();
}

std::vector<FrozenLayer> SoftHuber::FreezeToChain() const {
  ConvolutionLayer beside_delta = EachChannel(shape_, 2);
  for (std::size_t c = 0; c < shape_.channels; ++c) {
    beside_delta.weights.insert(beside_delta.weights.end(), {1.0F, 0.0F});
    beside_delta.bias.insert(beside_delta.bias.end(), {0.0F, delta_});
  }
  ConvolutionLayer less_delta = EachChannel(shape_, 1);
  less_delta.weights.assign(shape_.channels, 1.0F);
  less_delta.bias.assign(shape_.channels, -delta_);
  return {beside_delta, UpSamplingLayer{.window_height = 1, .window_width = 2},
          L2NormPoolLayer{.window_height = 1, .window_width = 2}, less_delta};
}

}  // namespace lipserve::trainer
