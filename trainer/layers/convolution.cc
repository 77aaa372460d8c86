// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/convolution.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "model/certificate/window_reads.h"
#include "trainer/constraints/freezing_rounding.h"
#include "trainer/constraints/random_orthogonal.h"

namespace lipserve::trainer {
namespace {

double SafeNorm(const ConvolutionLayer& layer) {
  const WindowReads vertical(layer.vertical, layer.padding_mode, layer.input.height);
  const WindowReads horizontal(layer.horizontal, layer.padding_mode, layer.input.width);
  return 1.0 / std::sqrt(static_cast<double>(vertical.most_reads() * horizontal.most_reads()));
}

}  // namespace

std::vector<float> RandomKernels(const ConvolutionLayer& geometry, std::mt19937_64& random) {
  std::vector<float> kernels;
  for (std::size_t g = 0; g < geometry.groups; ++g) {
    const std::vector<float> kernel =
        RandomOrthogonal(geometry.output_channels / geometry.groups, geometry.fan_in(), random);
    kernels.insert(kernels.end(), kernel.begin(), kernel.end());
  }
  return kernels;
}

bool IsPartOfPlaneOrTorus(const ConvolutionLayer& layer) {
  if (layer.padding_mode == PaddingMode::kZero) return true;
  if (layer.padding_mode != PaddingMode::kCircular) return false;
  return layer.vertical.outputs(layer.input.height) * layer.vertical.stride <= layer.input.height &&
         layer.horizontal.outputs(layer.input.width) * layer.horizontal.stride <= layer.input.width;
}

Convolution::Convolution(ConvolutionLayer geometry, bool use_bias, std::vector<Parameter> kernels)
    : geometry_(std::move(geometry)),
      use_bias_(use_bias),
      safe_norm_(SafeNorm(geometry_)),
      map_(MakeLinearMap(geometry_)),
      weights_(map_->weights()),
      weights_gradient_(weights_.size()) {
  parameters_ = std::move(kernels);
  if (use_bias) {
    parameters_.push_back(MakeParameter("bias", std::vector<float>(geometry_.output_channels)));
  }
}

void Convolution::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == geometry_.input.size() && y.cols == output_shape().size() && x.rows == y.rows);
  map_->Forward(x.rows, x.data, weights_.data(),
                use_bias_ ? parameters_.back().values.data() : nullptr, y.data);
}

void Convolution::Backward(ConstMatrixView x, ConstMatrixView /*y*/, ConstMatrixView dy,
                           MatrixView dx) {
  assert(x.cols == geometry_.input.size() && dy.cols == output_shape().size());
  map_->BackwardWeights(x.rows, x.data, dy.data, weights_gradient_.data(),
                        use_bias_ ? parameters_.back().gradient.data() : nullptr);
  if (dx.data != nullptr) map_->BackwardData(x.rows, dy.data, weights_.data(), dx.data);
}

FrozenLayer Convolution::FreezeWith(const std::vector<double>& weights) const {
  ConvolutionLayer frozen = geometry_;
  frozen.weights.resize(weights.size());
  std::transform(weights.begin(), weights.end(), frozen.weights.begin(), RoundForFreezing);
  if (use_bias_) {
    frozen.bias.resize(geometry_.output_channels);
    const std::vector<float>& bias = parameters_.back().values;
    std::transform(bias.begin(), bias.end(), frozen.bias.begin(),
                   [](float value) { return RoundForFreezing(static_cast<double>(value)); });
  }
  return frozen;
}

}  // namespace lipserve::trainer
