// SPDX-License-Identifier: Apache-2.0
#include "model/certificate/convolution_operator.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "model/foundation/paced_stop_check.h"

namespace lipserve {

int ScaleExponent(const ConvolutionLayer& layer) {
  float largest = 0.0F;
  for (const float w : layer.weights) largest = std::max(largest, std::fabs(w));
  return largest == 0.0F ? 0 : -std::ilogb(largest);
}

ConvolutionOperator::ConvolutionOperator(const ConvolutionLayer& layer, Taps taps,
                                         const StopCheck& stop)
    : vertical_(layer.vertical, layer.padding_mode, layer.input.height),
      horizontal_(layer.horizontal, layer.padding_mode, layer.input.width),
      groups_(layer.groups),
      channels_in_(layer.input.channels / layer.groups),
      channels_out_(layer.output_channels / layer.groups),
      taps_width_(layer.horizontal.size),
      taps_(layer.vertical.size * layer.horizontal.size),
      inputs_(layer.input.size()),
      outputs_(layer.output().size()),
      depth_(layer.fan_in()),
      transposed_depth_(channels_out_ * vertical_.most_reads() * horizontal_.most_reads()),
      stop_(stop),
      weights_(layer.weights.size()) {
  const int exponent = ScaleExponent(layer);
  auto weight = layer.weights.begin();
  for (std::size_t o = 0; o < layer.output_channels; ++o) {
    for (std::size_t c = 0; c < channels_in_; ++c) {
      for (std::size_t t = 0; t < taps_; ++t) {
        const double scaled = std::ldexp(static_cast<double>(*weight++), exponent);
        const std::size_t block = (o / channels_out_ * taps_ + t) * channels_in_ + c;
        weights_[block * channels_out_ + o % channels_out_] =
            taps == Taps::kAbsolute ? std::fabs(scaled) : scaled;
      }
    }
  }
}

double ConvolutionOperator::products() const {
  return static_cast<double>(outputs_) * static_cast<double>(depth_);
}

template <typename Visit>
void ConvolutionOperator::ForEachRead(Visit visit) const {
  PacedStopCheck stopped(stop_);
  for (std::size_t i = 0; i < vertical_.outputs(); ++i) {
    for (std::size_t j = 0; j < horizontal_.outputs(); ++j) {
      if (stopped(groups_ * depth_ * channels_out_)) return;
      for (const Read& row : vertical_.by_output()[i]) {
        for (const Read& column : horizontal_.by_output()[j]) {
          visit(i * horizontal_.outputs() + j,
                row.position * horizontal_.length() + column.position,
                row.tap * taps_width_ + column.tap);
        }
      }
    }
  }
}

void ConvolutionOperator::Apply(std::span<const double> x, std::span<double> y) const {
  assert(x.size() == inputs_ && y.size() == outputs_);
  std::fill(y.begin(), y.end(), 0.0);
  ForEachRead([&](std::size_t to, std::size_t from, std::size_t tap) {
    for (std::size_t g = 0; g < groups_; ++g) {
      const double* const in = x.data() + (from * groups_ + g) * channels_in_;
      double* const out = y.data() + (to * groups_ + g) * channels_out_;
      const double* w = Block(g, tap);
      for (std::size_t c = 0; c < channels_in_; ++c, w += channels_out_) {
        for (std::size_t o = 0; o < channels_out_; ++o) out[o] += in[c] * w[o];
      }
    }
  });
}

void ConvolutionOperator::ApplyTransposed(std::span<const double> y, std::span<double> x) const {
  assert(x.size() == inputs_ && y.size() == outputs_);
  std::fill(x.begin(), x.end(), 0.0);
  ForEachRead([&](std::size_t from, std::size_t to, std::size_t tap) {
    for (std::size_t g = 0; g < groups_; ++g) {
      const double* const in = y.data() + (from * groups_ + g) * channels_out_;
      double* const out = x.data() + (to * groups_ + g) * channels_in_;
      const double* w = Block(g, tap);
      for (std::size_t c = 0; c < channels_in_; ++c, w += channels_out_) {
        for (std::size_t o = 0; o < channels_out_; ++o) out[c] += in[o] * w[o];
      }
    }
  });
}

}  // namespace lipserve
