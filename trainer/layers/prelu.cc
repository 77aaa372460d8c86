// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/prelu.h"

#include <algorithm>
#include <cassert>

#include "model/execution/activation.h"
#include "trainer/constraints/freezing_rounding.h"
#include "trainer/layers/activation_gradient.h"

namespace lipserve::trainer {
namespace {

// Adds the positions' parts of the gradients in the slopes.
void AddSlopeGradient(const float* x, const float* dy, std::size_t channels, std::size_t positions,
                      float* sums) {
  for (std::size_t p = 0; p < positions; ++p, x += channels, dy += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      const float value = x[c];
      const float product = value * dy[c];
      sums[c] += value < 0.0F ? product : 0.0F;
    }
  }
}

}  // namespace

PRelu::PRelu(SampleShape shape, bool shared, float initial_slope)
    : shape_(shape), partial_sums_(shape.channels), slope_gradient_(shape.channels) {
  assert(initial_slope >= -1.0F && initial_slope <= 1.0F);
  layer_.slopes.assign(shape.channels, initial_slope);
  parameters_.push_back(MakeParameter(
      "slope", std::vector<float>(shared ? std::size_t{1} : shape.channels, initial_slope)));
}

void PRelu::PrepareStep(bool /*training*/) {
  for (std::size_t c = 0; c < shape_.channels; ++c) {
    layer_.slopes[c] = std::clamp(parameters_[0].values[ParameterOf(c)], -1.0F, 1.0F);
  }
}

void PRelu::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == shape_.size() && x.size() == y.size());
  for (std::size_t r = 0; r < x.rows; ++r) {
    Activate(layer_, shape_, x.data + r * x.cols, y.data + r * y.cols);
  }
}

void PRelu::Backward(ConstMatrixView x, ConstMatrixView /*y*/, ConstMatrixView dy, MatrixView dx) {
  const std::size_t channels = shape_.channels;
  const std::size_t positions = x.size() / channels;
  std::fill(slope_gradient_.begin(), slope_gradient_.end(), 0.0);
  for (std::size_t first = 0; first < positions; first += kPositionsInFloat32) {
    const std::size_t count = std::min(kPositionsInFloat32, positions - first);
    const std::size_t offset = first * channels;
    std::fill(partial_sums_.begin(), partial_sums_.end(), 0.0F);
    AddSlopeGradient(x.data + offset, dy.data + offset, channels, count, partial_sums_.data());
    for (std::size_t c = 0; c < channels; ++c) {
      slope_gradient_[c] += static_cast<double>(partial_sums_[c]);
    }
    if (dx.data == nullptr) continue;
    ActivationGradient(layer_, channels, count, x.data + offset, dy.data + offset,
                       dx.data + offset);
  }
}

// A clipped slope does not change y, but a step back into [-1, 1] would.
void PRelu::FinishStep() {
  Parameter& slope = parameters_[0];
  std::vector<double> sums(slope.values.size());
  for (std::size_t c = 0; c < shape_.channels; ++c) sums[ParameterOf(c)] += slope_gradient_[c];
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const bool moves_away =
        (slope.values[i] >= 1.0F && sums[i] < 0.0) || (slope.values[i] <= -1.0F && sums[i] > 0.0);
    slope.gradient[i] = moves_away ? 0.0F : static_cast<float>(sums[i]);
  }
}

FrozenLayer PRelu::Freeze() const {
  PReluLayer frozen;
  for (std::size_t c = 0; c < shape_.channels; ++c) {
    const float slope = std::clamp(parameters_[0].values[ParameterOf(c)], -1.0F, 1.0F);
    frozen.slopes.push_back(RoundForFreezing(static_cast<double>(slope)));
  }
  return frozen;
}

}  // namespace lipserve::trainer
