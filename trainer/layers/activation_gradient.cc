// SPDX-License-Identifier: Apache-2.0
#include "trainer/layers/activation_gradient.h"

namespace lipserve::trainer {
namespace {

// Loads come before comparisons and nothing branches on a number, so that compilers vectorise:
// signs are random, and each branch would be mispredicted every other time.

// For one position. Without __restrict on dx, GCC would have to compare too many pairs of arrays
// for overlap, and does not vectorise.
void ReflectGradient(const float* v, const float* x, const float* dy, std::size_t half,
                     float* __restrict dx) {
  for (std::size_t c = 0; c < half; ++c) {
    const float v0 = v[2 * c];
    const float v1 = v[2 * c + 1];
    const float length = v0 * x[c] + v1 * x[half + c];
    const float product = v0 * dy[c] + v1 * dy[half + c];
    const float slope = length > 0.0F ? product : 0.0F;
    dx[c] = dy[c] - v0 * slope;
    dx[half + c] = dy[half + c] - v1 * slope;
  }
}

}  // namespace

void ActivationGradient(const AbsLayer& /*layer*/, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx) {
  for (std::size_t k = 0; k < positions * channels; ++k) {
    const float gradient = dy[k];
    const float of_positive = x[k] > 0.0F ? gradient : 0.0F;
    const float of_negative = x[k] < 0.0F ? -gradient : 0.0F;
    dx[k] = of_positive + of_negative;
  }
}

void ActivationGradient(const MaxMinLayer& /*layer*/, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx) {
  const std::size_t half = channels / 2;
  for (std::size_t p = 0; p < positions; ++p, x += channels, dy += channels, dx += channels) {
    for (std::size_t c = 0; c < half; ++c) {
      const bool swapped = x[c] < x[half + c];
      const float of_larger = dy[c];
      const float of_smaller = dy[half + c];
      dx[c] = swapped ? of_smaller : of_larger;
      dx[half + c] = swapped ? of_larger : of_smaller;
    }
  }
}

void ActivationGradient(const ConcatenatedReluLayer& /*layer*/, std::size_t channels,
                        std::size_t positions, const float* x, const float* dy, float* dx) {
  for (std::size_t p = 0; p < positions; ++p, x += channels, dy += 2 * channels, dx += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      const float gradient = dy[c];
      const float gradient_of_negative = dy[channels + c];
      const float of_positive = x[c] > 0.0F ? gradient : 0.0F;
      const float of_negative = x[c] < 0.0F ? -gradient_of_negative : 0.0F;
      dx[c] = of_positive + of_negative;
    }
  }
}

void ActivationGradient(const PReluLayer& layer, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx) {
  const float* const slopes = layer.slopes.data();
  for (std::size_t p = 0; p < positions; ++p, x += channels, dy += channels, dx += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      const float slope = slopes[c];
      dx[c] = (x[c] > 0.0F ? 1.0F : slope) * dy[c];
    }
  }
}

void ActivationGradient(const HouseholderLayer& layer, std::size_t channels, std::size_t positions,
                        const float* x, const float* dy, float* dx) {
  const float* const v = layer.directions.data();
  for (std::size_t p = 0; p < positions; ++p, x += channels, dy += channels, dx += channels) {
    ReflectGradient(v, x, dy, channels / 2, dx);
  }
}

}  // namespace lipserve::trainer
