// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/householder.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numbers>

#include "model/execution/activation.h"
#include "trainer/layers/activation_gradient.h"
#include "trainer/layers/dense.h"

namespace lipserve::trainer {
namespace {

using Pair = std::array<double, 2>;

Pair DirectionOf(float angle) {
  const double half = 0.5 * static_cast<double>(angle);
  return {std::numbers::sqrt2 * std::sin(half), -std::numbers::sqrt2 * std::cos(half)};
}

// d DirectionOf / d angle.
Pair TurnOf(float angle) {
  const double half = 0.5 * static_cast<double>(angle);
  return {std::numbers::sqrt2 / 2.0 * std::cos(half), std::numbers::sqrt2 / 2.0 * std::sin(half)};
}

// v in float32, shortened unit by unit until no bound of its squared length, however rounded,
// exceeds 2.
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
    : shape_(shape), direction_gradient_(shape.channels) {
  assert(shape.channels % 2 == 0);
  parameters_.push_back(
      MakeParameter("angle", std::vector<float>(shape.channels / 2, initial_angle)));
  layer_.directions.resize(shape.channels);
}

void Householder::PrepareStep(bool /*training*/) {
  const std::vector<float>& angles = parameters_[0].values;
  for (std::size_t c = 0; c < angles.size(); ++c) {
    const Pair v = DirectionOf(angles[c]);
    layer_.directions[2 * c] = static_cast<float>(v[0]);
    layer_.directions[2 * c + 1] = static_cast<float>(v[1]);
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
  const std::size_t half = shape_.channels / 2;
  std::fill(direction_gradient_.begin(), direction_gradient_.end(), 0.0);
  for (std::size_t first = 0; first < x.size(); first += shape_.channels) {
    for (std::size_t c = 0; c < half; ++c) {
      const std::size_t i = first + c;
      const std::size_t j = i + half;
      const float v0 = layer_.directions[2 * c];
      const float v1 = layer_.directions[2 * c + 1];
      const float length = v0 * x.data[i] + v1 * x.data[j];
      const float slope = v0 * dy.data[i] + v1 * dy.data[j];
      const double of_first = static_cast<double>(length * dy.data[i] + slope * x.data[i]);
      const double of_second = static_cast<double>(length * dy.data[j] + slope * x.data[j]);
      direction_gradient_[2 * c] -= length > 0.0F ? of_first : 0.0;
      direction_gradient_[2 * c + 1] -= length > 0.0F ? of_second : 0.0;
    }
  }
  if (dx.data == nullptr) return;
  ActivationGradient(layer_, shape_.channels, x.size() / shape_.channels, x.data, dy.data, dx.data);
}

void Householder::FinishStep() {
  Parameter& angle = parameters_[0];
  for (std::size_t c = 0; c < angle.values.size(); ++c) {
    const Pair turn = TurnOf(angle.values[c]);
    angle.gradient[c] = static_cast<float>(direction_gradient_[2 * c] * turn[0] +
                                           direction_gradient_[2 * c + 1] * turn[1]);
  }
}

FrozenLayer Householder::Freeze() const {
  HouseholderLayer frozen;
  for (const float angle : parameters_[0].values)
    AppendShortened(DirectionOf(angle), frozen.directions);
  return frozen;
}

}  // namespace lipserve::trainer
