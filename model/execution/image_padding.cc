// SPDX-License-Identifier: Apache-2.0
#include "model/execution/image_padding.h"

#include <algorithm>

namespace lipserve {
namespace {

// A window of one tap that reads every position of the padded axis once: output p reads padded
// position p.
WindowAxis EveryPosition(const WindowAxis& axis) {
  return {.padding_before = axis.padding_before, .padding_after = axis.padding_after};
}

}  // namespace

ImagePadding::ImagePadding(const ConvolutionLayer& layer)
    : image_(layer.input), padded_(layer.padded_input()) {
  const WindowAxis vertical = EveryPosition(layer.vertical);
  const WindowAxis horizontal = EveryPosition(layer.horizontal);
  for (std::size_t i = 0; i < padded_.height; ++i) {
    const auto row = SourcePosition(vertical, layer.padding_mode, image_.height, i, 0);
    for (std::size_t j = 0; j < padded_.width; ++j) {
      const auto column = SourcePosition(horizontal, layer.padding_mode, image_.width, j, 0);
      std::optional<std::size_t> source;
      if (row && column) source = (*row * image_.width + *column) * image_.channels;
      const bool continues = !runs_.empty() &&
                             runs_.back().source.has_value() == source.has_value() &&
                             (!source || *runs_.back().source + runs_.back().count == *source);
      if (continues) {
        runs_.back().count += image_.channels;
      } else {
        runs_.push_back({source, image_.channels});
      }
    }
  }
}

template <typename Number>
void ImagePadding::Copy(const Number* x, Number* y) const {
  for (const Run& run : runs_) {
    if (run.source) {
      std::copy_n(x + *run.source, run.count, y);
    } else {
      std::fill_n(y, run.count, Number{0});
    }
    y += run.count;
  }
}

void ImagePadding::AddTransposed(const float* y, float* x) const {
  for (const Run& run : runs_) {
    if (run.source) {
      float* to = x + *run.source;
      for (std::size_t i = 0; i < run.count; ++i) to[i] += y[i];
    }
    y += run.count;
  }
}

template void ImagePadding::Copy(const float* x, float* y) const;
template void ImagePadding::Copy(const double* x, double* y) const;

ConvolutionLayer WithoutPadding(const ConvolutionLayer& layer) {
  ConvolutionLayer unpadded = layer;
  unpadded.input = layer.padded_input();
  for (WindowAxis* axis : {&unpadded.vertical, &unpadded.horizontal}) {
    axis->padding_before = 0;
    axis->padding_after = 0;
  }
  return unpadded;
}

}  // namespace lipserve
