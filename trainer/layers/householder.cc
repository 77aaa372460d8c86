// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/householder.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numbers>

#include "model/execution/activation.h"
#include "trainer/constraints/freezing_rounding.h"
#include "trainer/layers/activation_gradient.h"

namespace lipserve::trainer {
namespace {

using Pair = std::array<double, 2>;

Pair DirectionOf(float angle) {
  const double half = 0.5 * static_cast<double>(angle);
  return {std::numbers::sqrt2 * std::sin(half), -std::numbers::sqrt2 * std::cos(half)};
}

// d DirectionOf / d angle.
Pair DirectionDerivative(float angle) {
  const double half = 0.5 * static_cast<double>(angle);
  return {std::numbers::sqrt2 / 2.0 * std::cos(half), std::numbers::sqrt2 / 2.0 * std::sin(half)};
}

// Adds the positions' parts of the gradients in the directions, with the other sign. v and sums
// hold the first numbers of all pairs, then the second ones.
void AddDirectionGradient(const float* v, const float* x, const float* dy, std::size_t half,
                          std::size_t positions, float* __restrict sums) {
  for (std::size_t p = 0; p < positions; ++p, x += 2 * half, dy += 2 * half) {
    for (std::size_t c = 0; c < half; ++c) {
      const float length = v[c] * x[c] + v[half + c] * x[half + c];
      const float slope = v[c] * dy[c] + v[half + c] * dy[half + c];
      const float of_first = length * dy[c] + slope * x[c];
      const float of_second = length * dy[half + c] + slope * x[half + c];
      sums[c] += length > 0.0F ? of_first : 0.0F;
      sums[half + c] += length > 0.0F ? of_second : 0.0F;
    }
  }
}

// v in float32, shortened by one ulp at a time until every bound of its squared length, however
// rounded, is at most 2.
void AppendShortened(const Pair& v, std::vector<float>& directions) {
  std::array<float, 2> rounded = {RoundForFreezing(v[0]), RoundForFreezing(v[1])};
  const auto square = [](float value) {
    return static_cast<double>(value) * static_cast<double>(value);
  };
  while (square(rounded[0]) + square(rounded[1]) > 2.0 - 0x1p-40) {
    float& longer = std::fabs(rounded[0]) > std::fabs(rounded[1]) ? rounded[0] : rounded[1];
    longer = std::nextafter(longer, 0.0F);
  }
  directions.insert(directions.end(), rounded.begin(), rounded.end());
}

}  // namespace

Householder::Householder(SampleShape shape, float initial_angle)
    : shape_(shape),
      directions_(shape.channels),
      partial_sums_(shape.channels),
      direction_gradient_(shape.channels) {
  assert(shape.channels % 2 == 0);
  parameters_.push_back(
      MakeParameter("angle", std::vector<float>(shape.channels / 2, initial_angle)));
  layer_.directions.resize(shape.channels);
}

void Householder::PrepareStep(bool /*training*/) {
  const std::vector<float>& angles = parameters_[0].values;
  for (std::size_t c = 0; c < angles.size(); ++c) {
    const Pair v = DirectionOf(angles[c]);
    directions_[c] = layer_.directions[2 * c] = static_cast<float>(v[0]);
    directions_[angles.size() + c] = layer_.directions[2 * c + 1] = static_cast<float>(v[1]);
  }
}

void Householder::Forward(ConstMatrixView x, MatrixView y) {
  assert(x.cols == shape_.size() && x.size() == y.size());
  for (std::size_t r = 0; r < x.rows; ++r) {
    Activate(layer_, shape_, x.data + r * x.cols, y.data + r * y.cols);
  }
}

void Householder::Backward(ConstMatrixView x, ConstMatrixView /*y*/, ConstMatrixView dy,
                           MatrixView dx) {
  const std::size_t channels = shape_.channels;
  const std::size_t positions = x.size() / channels;
  std::fill(direction_gradient_.begin(), direction_gradient_.end(), 0.0);
  for (std::size_t first = 0; first < positions; first += kPositionsInFloat32) {
    const std::size_t count = std::min(kPositionsInFloat32, positions - first);
    const std::size_t offset = first * channels;
    std::fill(partial_sums_.begin(), partial_sums_.end(), 0.0F);
    AddDirectionGradient(directions_.data(), x.data + offset, dy.data + offset, channels / 2, count,
                         partial_sums_.data());
    for (std::size_t c = 0; c < channels; ++c) {
      direction_gradient_[c] -= static_cast<double>(partial_sums_[c]);
    }
    if (dx.data == nullptr) continue;
    ActivationGradient(layer_, channels, count, x.data + offset, dy.data + offset,
                       dx.data + offset);
  }
}

void Householder::FinishStep() {
  Parameter& angle = parameters_[0];
  for (std::size_t c = 0; c < angle.values.size(); ++c) {
    const Pair derivative = DirectionDerivative(angle.values[c]);
    angle.gradient[c] =
        static_cast<float>(direction_gradient_[c] * derivative[0] +
                           direction_gradient_[angle.values.size() + c] * derivative[1]);
  }
}

FrozenLayer Householder::Freeze() const {
  HouseholderLayer frozen;
  for (const float angle : parameters_[0].values)
    AppendShortened(DirectionOf(angle), frozen.directions);
  return frozen;
}

}  // namespace lipserve::trainer
