// SPDX-License-Identifier: Apache-2.0
#include "model/execution/activation.h"

#include <cmath>
#include <cstddef>

namespace lipserve {
namespace {

std::size_t PositionsOf(const SampleShape& shape) { return shape.height * shape.width; }

// Without branches, so that compilers vectorise it.
template <typename Number>
Number PositivePart(Number value) {
  return value > 0 ? value : Number{0};
}

}  // namespace

template <typename Number>
void Activate(const AbsLayer& /*layer*/, const SampleShape& input, const Number* x, Number* y) {
  for (std::size_t k = 0; k < input.size(); ++k) y[k] = std::fabs(x[k]);
}

template <typename Number>
void Activate(const MaxMinLayer& /*layer*/, const SampleShape& input, const Number* x, Number* y) {
  const std::size_t half = input.channels / 2;
  for (std::size_t p = 0; p < PositionsOf(input); ++p, x += input.channels, y += input.channels) {
    for (std::size_t c = 0; c < half; ++c) {
      const Number a = x[c];
      const Number b = x[half + c];
      y[c] = a < b ? b : a;
      y[half + c] = a < b ? a : b;
    }
  }
}

template <typename Number>
void Activate(const ConcatenatedReluLayer& /*layer*/, const SampleShape& input, const Number* x,
              Number* y) {
  const std::size_t channels = input.channels;
  for (std::size_t p = 0; p < PositionsOf(input); ++p, x += channels, y += 2 * channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      y[c] = PositivePart(x[c]);
      y[channels + c] = PositivePart(-x[c]);
    }
  }
}

template <typename Number>
void Activate(const PReluLayer& layer, const SampleShape& input, const Number* x, Number* y) {
  for (std::size_t p = 0; p < PositionsOf(input); ++p, x += input.channels, y += input.channels) {
    for (std::size_t c = 0; c < input.channels; ++c) {
      const Number scaled = static_cast<Number>(layer.slopes[c]) * x[c];
      y[c] = x[c] >= 0 ? x[c] : scaled;
    }
  }
}

template <typename Number>
void Activate(const HouseholderLayer& layer, const SampleShape& input, const Number* x, Number* y) {
  const std::size_t half = input.channels / 2;
  const float* const v = layer.directions.data();
  for (std::size_t p = 0; p < PositionsOf(input); ++p, x += input.channels, y += input.channels) {
    for (std::size_t c = 0; c < half; ++c) {
      const auto v0 = static_cast<Number>(v[2 * c]);
      const auto v1 = static_cast<Number>(v[2 * c + 1]);
      const Number length = PositivePart(v0 * x[c] + v1 * x[half + c]);
      y[c] = x[c] - v0 * length;
      y[half + c] = x[half + c] - v1 * length;
    }
  }
}

template <typename Number>
void Activate(const ClipLayer& layer, const SampleShape& input, const Number* x, Number* y) {
  const auto low = static_cast<Number>(layer.low);
  const auto high = static_cast<Number>(layer.high);
  for (std::size_t k = 0; k < input.size(); ++k) {
    const Number raised = x[k] < low ? low : x[k];
    y[k] = raised > high ? high : raised;
  }
}

template void Activate(const AbsLayer&, const SampleShape&, const float*, float*);
template void Activate(const AbsLayer&, const SampleShape&, const double*, double*);
template void Activate(const MaxMinLayer&, const SampleShape&, const float*, float*);
template void Activate(const MaxMinLayer&, const SampleShape&, const double*, double*);
template void Activate(const ConcatenatedReluLayer&, const SampleShape&, const float*, float*);
template void Activate(const ConcatenatedReluLayer&, const SampleShape&, const double*, double*);
template void Activate(const PReluLayer&, const SampleShape&, const float*, float*);
template void Activate(const PReluLayer&, const SampleShape&, const double*, double*);
template void Activate(const HouseholderLayer&, const SampleShape&, const float*, float*);
template void Activate(const HouseholderLayer&, const SampleShape&, const double*, double*);
template void Activate(const ClipLayer&, const SampleShape&, const float*, float*);
template void Activate(const ClipLayer&, const SampleShape&, const double*, double*);

}  // namespace lipserve
