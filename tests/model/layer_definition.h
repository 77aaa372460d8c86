// SPDX-License-Identifier: Apache-2.0
// The layers of frozen networks, written from the definitions in frozen_network.h: slow, plain, and
// sharing no code with the evaluations under test.
#ifndef TESTS_MODEL_LAYER_DEFINITION_H_
#define TESTS_MODEL_LAYER_DEFINITION_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "model/network/frozen_network.h"
#include "tests/model/quad.h"

namespace lipserve {

// Index into an image of shape [C, H, W].
inline std::size_t ImageIndex(const SampleShape& shape, std::size_t c, std::size_t i,
                              std::size_t j) {
  return (c * shape.height + i) * shape.width + j;
}

// Where an axis of `length` positions has the number of position `p`, which padding may put outside
// it; -1 for a zero.
inline std::ptrdiff_t PaddedSource(PaddingMode mode, std::ptrdiff_t length, std::ptrdiff_t p) {
  if (p >= 0 && p < length) return p;
  switch (mode) {
    case PaddingMode::kZero:
      return -1;
    case PaddingMode::kReflect:
      return p < 0 ? -p : 2 * (length - 1) - p;
    case PaddingMode::kReplicate:
      return p < 0 ? 0 : length - 1;
    case PaddingMode::kCircular:
      return p < 0 ? p + length : p - length;
  }
  return -1;
}

// Calls visit(index into the weights, index into x) for every product of output (o, i, j) of the
// convolution but those with a zero of the padding.
template <typename Visit>
void ForEachProduct(const ConvolutionLayer& layer, std::size_t o, std::size_t i, std::size_t j,
                    Visit visit) {
  const auto read = [&](const WindowAxis& axis, std::size_t length, std::size_t output,
                        std::size_t tap) {
    return PaddedSource(layer.padding_mode, static_cast<std::ptrdiff_t>(length),
                        static_cast<std::ptrdiff_t>(output * axis.stride + tap * axis.dilation) -
                            static_cast<std::ptrdiff_t>(axis.padding_before));
  };
  const std::size_t channels = layer.input.channels / layer.groups;
  const std::size_t group = o / (layer.output_channels / layer.groups);
  std::size_t weight = o * layer.fan_in();
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t u = 0; u < layer.vertical.size; ++u) {
      for (std::size_t v = 0; v < layer.horizontal.size; ++v, ++weight) {
        const auto row = read(layer.vertical, layer.input.height, i, u);
        const auto column = read(layer.horizontal, layer.input.width, j, v);
        if (row < 0 || column < 0) continue;
        visit(weight, ImageIndex(layer.input, group * channels + c, static_cast<std::size_t>(row),
                                 static_cast<std::size_t>(column)));
      }
    }
  }
}

// Calls visit(row, column) for every position of the image that window (i, j) reads.
template <typename Visit>
void ForEachRead(const MaxPoolLayer& layer, const SampleShape& image, std::size_t i, std::size_t j,
                 Visit visit) {
  for (std::size_t u = 0; u < layer.vertical.size; ++u) {
    for (std::size_t v = 0; v < layer.horizontal.size; ++v) {
      const std::size_t row = i * layer.vertical.stride + u;
      const std::size_t column = j * layer.horizontal.stride + v;
      if (row < layer.vertical.padding_before || column < layer.horizontal.padding_before) continue;
      if (row - layer.vertical.padding_before >= image.height) continue;
      if (column - layer.horizontal.padding_before >= image.width) continue;
      visit(row - layer.vertical.padding_before, column - layer.horizontal.padding_before);
    }
  }
}

inline double RootOf(double x) { return std::sqrt(x); }
inline Quad RootOf(Quad x) { return QuadSqrt(x); }

// One layer of a network in the arithmetic of Number, on an input of shape `shape`.
template <typename Number>
struct LayerDefinition {
  const std::vector<Number>& x;
  const SampleShape& shape;
  const std::vector<Number>* other = nullptr;  // what a sum adds

  std::vector<Number> operator()(const FlattenLayer&) const { return x; }

  std::vector<Number> operator()(const PermutationLayer& layer) const {
    std::vector<Number> y;
    for (const std::uint32_t source : layer.sources) y.push_back(x[source]);
    return y;
  }

  std::vector<Number> operator()(const SumLayer&) const {
    std::vector<Number> y = x;
    for (std::size_t k = 0; k < y.size(); ++k) y[k] += (*other)[k];
    return y;
  }

  std::vector<Number> operator()(const ClipLayer& layer) const {
    std::vector<Number> y = x;
    for (Number& value : y) {
      value = std::min(std::max(value, static_cast<Number>(layer.low)),
                       static_cast<Number>(layer.high));
    }
    return y;
  }

  std::vector<Number> operator()(const MaxPoolLayer& layer) const {
    const SampleShape out = OutputShape(layer, shape);
    std::vector<Number> y;
    for (std::size_t c = 0; c < out.channels; ++c) {
      for (std::size_t i = 0; i < out.height; ++i) {
        for (std::size_t j = 0; j < out.width; ++j) y.push_back(x[LargestOf(layer, c, i, j)]);
      }
    }
    return y;
  }

  // Where the largest number of a window stands: the first of them.
  std::size_t LargestOf(const MaxPoolLayer& layer, std::size_t c, std::size_t i,
                        std::size_t j) const {
    std::size_t largest = x.size();
    ForEachRead(layer, shape, i, j, [&](std::size_t row, std::size_t column) {
      const std::size_t k = ImageIndex(shape, c, row, column);
      if (largest == x.size() || x[largest] < x[k]) largest = k;
    });
    return largest;
  }

  std::vector<Number> operator()(const DenseLayer& layer) const {
    std::vector<Number> y(layer.outputs, 0);
    for (std::size_t o = 0; o < layer.outputs; ++o) {
      if (!layer.bias.empty()) y[o] = static_cast<Number>(layer.bias[o]);
      for (std::size_t k = 0; k < layer.inputs; ++k) {
        y[o] += static_cast<Number>(layer.weights[o * layer.inputs + k]) * x[k];
      }
    }
    return y;
  }

  std::vector<Number> operator()(const ConvolutionLayer& layer) const {
    const SampleShape out = layer.output();
    std::vector<Number> y(out.size(), 0);
    for (std::size_t o = 0; o < out.channels; ++o) {
      for (std::size_t i = 0; i < out.height; ++i) {
        for (std::size_t j = 0; j < out.width; ++j) {
          Number& sum = y[ImageIndex(out, o, i, j)];
          if (!layer.bias.empty()) sum = static_cast<Number>(layer.bias[o]);
          ForEachProduct(layer, o, i, j, [&](std::size_t weight, std::size_t source) {
            sum += static_cast<Number>(layer.weights[weight]) * x[source];
          });
        }
      }
    }
    return y;
  }

  std::vector<Number> operator()(const AveragePoolLayer& layer) const {
    std::vector<Number> y = SumWindows(layer, [](Number value) { return value; });
    for (Number& value : y) value *= static_cast<Number>(layer.scale);
    return y;
  }

  std::vector<Number> operator()(const L2NormPoolLayer& layer) const {
    std::vector<Number> y = SumWindows(layer, [](Number value) { return value * value; });
    for (Number& value : y) value = RootOf(value);
    return y;
  }

  std::vector<Number> operator()(const GroupSortLayer& layer) const {
    std::vector<Number> y = x;
    const std::size_t area = shape.height * shape.width;
    std::vector<Number> group(layer.group_size);
    for (std::size_t position = 0; position < area; ++position) {
      for (std::size_t first = 0; first < shape.channels; first += layer.group_size) {
        for (std::size_t k = 0; k < group.size(); ++k) group[k] = x[(first + k) * area + position];
        std::sort(group.begin(), group.end());
        for (std::size_t k = 0; k < group.size(); ++k) y[(first + k) * area + position] = group[k];
      }
    }
    return y;
  }

  std::vector<Number> operator()(const UpSamplingLayer& layer) const {
    const SampleShape out = OutputShape(layer, shape);
    std::vector<Number> y(x.size());
    for (std::size_t c = 0; c < out.channels; ++c) {
      for (std::size_t i = 0; i < out.height; ++i) {
        for (std::size_t j = 0; j < out.width; ++j) {
          y[ImageIndex(out, c, i, j)] = x[UpSampledFrom(layer, c, i, j)];
        }
      }
    }
    return y;
  }

  // Where number [c, i, j] of an up-sampled image comes from.
  std::size_t UpSampledFrom(const UpSamplingLayer& layer, std::size_t c, std::size_t i,
                            std::size_t j) const {
    const std::size_t h = layer.window_height;
    const std::size_t w = layer.window_width;
    return ImageIndex(shape, c * h * w + i % h * w + j % w, i / h, j / w);
  }

  std::vector<Number> operator()(const AbsLayer&) const {
    std::vector<Number> y = x;
    for (Number& value : y) value = value < 0 ? -value : value;
    return y;
  }

  std::vector<Number> operator()(const MaxMinLayer&) const {
    std::vector<Number> y = x;
    const std::size_t half = x.size() / 2;  // of the channels, which are the first index
    for (std::size_t k = 0; k < half; ++k) {
      y[k] = std::max(x[k], x[half + k]);
      y[half + k] = std::min(x[k], x[half + k]);
    }
    return y;
  }

  std::vector<Number> operator()(const ConcatenatedReluLayer&) const {
    std::vector<Number> y;
    for (const Number& value : x) y.push_back(value > 0 ? value : 0);
    for (const Number& value : x) y.push_back(value < 0 ? -value : 0);
    return y;
  }

  std::vector<Number> operator()(const PReluLayer& layer) const {
    std::vector<Number> y = x;
    for (std::size_t k = 0; k < y.size(); ++k) {
      if (y[k] < 0) y[k] *= static_cast<Number>(layer.slopes[k / (shape.height * shape.width)]);
    }
    return y;
  }

  std::vector<Number> operator()(const HouseholderLayer& layer) const {
    std::vector<Number> y = x;
    const std::size_t half = x.size() / 2;
    for (std::size_t k = 0; k < half; ++k) {
      const float* const v = &layer.directions[k / (shape.height * shape.width) * 2];
      const auto v0 = static_cast<Number>(v[0]);
      const auto v1 = static_cast<Number>(v[1]);
      const Number length = v0 * x[k] + v1 * x[half + k];
      if (length <= 0) continue;
      y[k] -= v0 * length;
      y[half + k] -= v1 * length;
    }
    return y;
  }

  std::vector<Number> operator()(const ConvexPotentialLayer& layer) const {
    std::vector<Number> y = x;
    std::visit(
        [&](const auto& inner) {
          std::vector<Number> hidden = (*this)(inner);
          for (Number& value : hidden) value = std::max(value, Number{0});
          SubtractTransposed(inner, hidden, y);
        },
        layer.inner);
    return y;
  }

  // y -= T^T r, T the linear part of the layer.
  static void SubtractTransposed(const DenseLayer& layer, const std::vector<Number>& r,
                                 std::vector<Number>& y) {
    for (std::size_t o = 0; o < layer.outputs; ++o) {
      for (std::size_t k = 0; k < layer.inputs; ++k) {
        y[k] -= static_cast<Number>(layer.weights[o * layer.inputs + k]) * r[o];
      }
    }
  }
  static void SubtractTransposed(const ConvolutionLayer& layer, const std::vector<Number>& r,
                                 std::vector<Number>& y) {
    const SampleShape out = layer.output();
    for (std::size_t o = 0; o < out.channels; ++o) {
      for (std::size_t i = 0; i < out.height; ++i) {
        for (std::size_t j = 0; j < out.width; ++j) {
          ForEachProduct(layer, o, i, j, [&](std::size_t weight, std::size_t source) {
            y[source] -= static_cast<Number>(layer.weights[weight]) * r[ImageIndex(out, o, i, j)];
          });
        }
      }
    }
  }

  // Sums term(value) over each window.
  template <typename Pool, typename Term>
  std::vector<Number> SumWindows(const Pool& pool, Term term) const {
    const SampleShape out = OutputShape(pool, shape);
    std::vector<Number> y(out.size(), 0);
    for (std::size_t c = 0; c < shape.channels; ++c) {
      for (std::size_t i = 0; i < shape.height; ++i) {
        for (std::size_t j = 0; j < shape.width; ++j) {
          y[ImageIndex(out, c, i / pool.window_height, j / pool.window_width)] +=
              term(x[ImageIndex(shape, c, i, j)]);
        }
      }
    }
    return y;
  }
};

// The values of a network (FrozenNetwork), value 0 being `input`. `Definition` is that of one
// layer.
template <typename Number, template <typename> typename Definition = LayerDefinition>
std::vector<std::vector<Number>> NetworkValues(const FrozenNetwork& network,
                                               std::vector<Number> input) {
  const std::vector<SampleShape> shapes = ValueShapes(network);
  std::vector<std::vector<Number>> values = {std::move(input)};
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const auto* const sum = std::get_if<SumLayer>(&network.layers[l]);
    const std::size_t read = network.InputOf(l);
    values.push_back(std::visit(Definition<Number>{values[read], shapes[read],
                                                   sum != nullptr ? &values[sum->other] : nullptr},
                                network.layers[l]));
  }
  return values;
}

}  // namespace lipserve

#endif  // TESTS_MODEL_LAYER_DEFINITION_H_
