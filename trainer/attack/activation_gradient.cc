// SPDX-License-Identifier: Apache-2.0
#include "trainer/attack/activation_gradient.h"

#include <cstddef>

#include "model/execution/activation.h"

namespace lipserve::trainer {
namespace {

// The gradient in the channels of one position.

void Route(const AbsLayer& /*layer*/, std::size_t channels, const float* x, const float* dy,
           float* dx) {
  for (std::size_t c = 0; c < channels; ++c) dx[c] = x[c] < 0.0F ? -dy[c] : dy[c];
}

void Route(const MaxMinLayer& /*layer*/, std::size_t channels, const float* x, const float* dy,
           float* dx) {
  const std::size_t half = channels / 2;
  for (std::size_t c = 0; c < half; ++c) {
    const bool swapped = x[c] < x[half + c];
    dx[c] = swapped ? dy[half + c] : dy[c];
    dx[half + c] = swapped ? dy[c] : dy[half + c];
  }
}

void Route(const ConcatenatedReluLayer& /*layer*/, std::size_t channels, const float* x,
           const float* dy, float* dx) {
  for (std::size_t c = 0; c < channels; ++c) dx[c] = x[c] < 0.0F ? -dy[channels + c] : dy[c];
}

void Route(const PReluLayer& layer, std::size_t channels, const float* x, const float* dy,
           float* dx) {
  for (std::size_t c = 0; c < channels; ++c) dx[c] = x[c] < 0.0F ? layer.slopes[c] * dy[c] : dy[c];
}

void Route(const HouseholderLayer& layer, std::size_t channels, const float* x, const float* dy,
           float* dx) {
  const std::size_t half = channels / 2;
  for (std::size_t c = 0; c < half; ++c) {
    const float* const v = &layer.directions[2 * c];
    const bool is_reflected = v[0] * x[c] + v[1] * x[half + c] > 0.0F;
    const float slope = is_reflected ? v[0] * dy[c] + v[1] * dy[half + c] : 0.0F;
    dx[c] = dy[c] - v[0] * slope;
    dx[half + c] = dy[half + c] - v[1] * slope;
  }
}

template <typename Layer>
class Step final : public GradientStep {
 public:
  Step(const Layer& layer, const SampleShape& shape)
      : layer_(layer), in_(shape), out_(OutputShape(layer, shape)) {}

  void Forward(std::size_t batch, const float* x, float* y) override {
    for (std::size_t n = 0; n < batch; ++n) {
      Activate(layer_, in_, x + n * in_.size(), y + n * out_.size());
    }
  }
  void Backward(std::size_t batch, const float* x, const float* dy, float* dx) override {
    const std::size_t positions = batch * in_.height * in_.width;
    for (std::size_t p = 0; p < positions; ++p) {
      Route(layer_, in_.channels, x, dy, dx);
      x += in_.channels;
      dx += in_.channels;
      dy += out_.channels;
    }
  }

 private:
  Layer layer_;
  SampleShape in_;
  SampleShape out_;
};

}  // namespace

std::unique_ptr<GradientStep> ActivationStep(const AbsLayer& layer, const SampleShape& shape) {
  return std::make_unique<Step<AbsLayer>>(layer, shape);
}

std::unique_ptr<GradientStep> ActivationStep(const MaxMinLayer& layer, const SampleShape& shape) {
  return std::make_unique<Step<MaxMinLayer>>(layer, shape);
}

std::unique_ptr<GradientStep> ActivationStep(const ConcatenatedReluLayer& layer,
                                             const SampleShape& shape) {
  return std::make_unique<Step<ConcatenatedReluLayer>>(layer, shape);
}

std::unique_ptr<GradientStep> ActivationStep(const PReluLayer& layer, const SampleShape& shape) {
  return std::make_unique<Step<PReluLayer>>(layer, shape);
}

std::unique_ptr<GradientStep> ActivationStep(const HouseholderLayer& layer,
                                             const SampleShape& shape) {
  return std::make_unique<Step<HouseholderLayer>>(layer, shape);
}

}  // namespace lipserve::trainer
