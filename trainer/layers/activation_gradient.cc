// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/activation_gradient.h"

namespace lipserve::trainer {

void ActivationGradient(const AbsLayer& /*layer*/, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx) {
  for (std::size_t k = 0; k < positions * channels; ++k) {
    const float negative = x[k] < 0.0F ? -dy[k] : 0.0F;
    dx[k] = x[k] > 0.0F ? dy[k] : negative;
  }
}

void ActivationGradient(const MaxMinLayer& /*layer*/, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx) {
  const std::size_t half = channels / 2;
  for (std::size_t p = 0; p < positions; ++p, x += channels, dy += channels, dx += channels) {
    for (std::size_t c = 0; c < half; ++c) {
      const bool swapped = x[c] < x[half + c];
      dx[c] = swapped ? dy[half + c] : dy[c];
      dx[half + c] = swapped ? dy[c] : dy[half + c];
    }
  }
}

void ActivationGradient(const ConcatenatedReluLayer& /*layer*/, std::size_t channels,
                        std::size_t positions, const float* x, const float* dy, float* dx) {
  for (std::size_t p = 0; p < positions; ++p, x += channels, dy += 2 * channels, dx += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      const float negative = x[c] < 0.0F ? -dy[channels + c] : 0.0F;
      dx[c] = x[c] > 0.0F ? dy[c] : negative;
    }
  }
}

void ActivationGradient(const PReluLayer& layer, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx) {
  for (std::size_t p = 0; p < positions; ++p, x += channels, dy += channels, dx += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      dx[c] = x[c] > 0.0F ? dy[c] : layer.slopes[c] * dy[c];
    }
  }
}

void ActivationGradient(const HouseholderLayer& layer, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx) {
  const std::size_t half = channels / 2;
  for (std::size_t p = 0; p < positions; ++p, x += channels, dy += channels, dx += channels) {
    for (std::size_t c = 0; c < half; ++c) {
      const float* const v = &layer.directions[2 * c];
      const bool is_reflected = v[0] * x[c] + v[1] * x[half + c] > 0.0F;
      const float slope = is_reflected ? v[0] * dy[c] + v[1] * dy[half + c] : 0.0F;
      dx[c] = dy[c] - v[0] * slope;
      dx[half + c] = dy[half + c] - v[1] * slope;
    }
  }
}

}  // namespace lipserve::trainer
