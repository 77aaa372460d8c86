// SPDX-License-Identifier: Apache-2.0
// Small convolutional networks for the checker's tests, and what they mean: scores in fractions,
// one operation at a time, on images that are really padded. It shares no code with the checker
// and, of model/, only the structures.
#ifndef TESTS_VERIFY_CONVOLUTIONAL_NETWORK_H_
#define TESTS_VERIFY_CONVOLUTIONAL_NETWORK_H_

#include <gmpxx.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "model/network/frozen_network.h"
#include "model/network/window.h"
#include "tests/model/network_fixtures.h"
#include "tests/model/quad_eigenvalue.h"

namespace lipserve::verify {

inline mpq_class Exact(float value) { return mpq_class(static_cast<double>(value)); }

// `line` with `before` and `after` more numbers, made of it by the pictures in model_file.proto.
inline std::vector<mpq_class> Padded(const std::vector<mpq_class>& line, std::size_t before,
                                     std::size_t after, lipserve::PaddingMode mode) {
  const auto back = line.size() - 1;
  std::vector<mpq_class> padded = line;
  for (std::size_t k = 1; k <= before; ++k) {
    padded.insert(padded.begin(), mode == lipserve::PaddingMode::kZero      ? mpq_class(0)
                                  : mode == lipserve::PaddingMode::kReflect ? line[k]
                                  : mode == lipserve::PaddingMode::kReplicate
                                      ? line[0]
                                      : line[line.size() - k]);
  }
  for (std::size_t k = 1; k <= after; ++k) {
    padded.push_back(mode == lipserve::PaddingMode::kZero        ? mpq_class(0)
                     : mode == lipserve::PaddingMode::kReflect   ? line[back - k]
                     : mode == lipserve::PaddingMode::kReplicate ? line[back]
                                                                 : line[k - 1]);
  }
  return padded;
}

using Image = std::vector<std::vector<mpq_class>>;  // rows

inline Image Padded(const Image& image, const ConvolutionLayer& layer) {
  const lipserve::WindowAxis& y = layer.vertical;
  Image padded(y.padding_before + image.size() + y.padding_after);
  for (std::size_t column = 0; column < image[0].size(); ++column) {
    std::vector<mpq_class> line;
    for (const auto& row : image) line.push_back(row[column]);
    line = Padded(line, y.padding_before, y.padding_after, layer.padding_mode);
    for (std::size_t row = 0; row < line.size(); ++row) padded[row].push_back(line[row]);
  }
  const lipserve::WindowAxis& x = layer.horizontal;
  for (auto& row : padded) row = Padded(row, x.padding_before, x.padding_after, layer.padding_mode);
  return padded;
}

// [C, H, W] as images, and back.
inline std::vector<Image> ToImages(const std::vector<mpq_class>& sample, const SampleShape& shape) {
  std::vector<Image> images(shape.channels, Image(shape.height));
  for (std::size_t k = 0; k < sample.size(); ++k) {
    images[k / (shape.height * shape.width)][k / shape.width % shape.height].push_back(sample[k]);
  }
  return images;
}

inline std::vector<mpq_class> ByFractions(const ConvolutionLayer& layer, const SampleShape& shape,
                                          const std::vector<mpq_class>& x) {
  std::vector<Image> images = ToImages(x, shape);
  for (Image& image : images) image = Padded(image, layer);
  const SampleShape output = layer.output();
  const std::size_t channels = shape.channels / layer.groups;
  std::vector<mpq_class> y;
  for (std::size_t o = 0; o < output.channels; ++o) {
    const std::size_t group = o / (output.channels / layer.groups);
    for (std::size_t i = 0; i < output.height; ++i) {
      for (std::size_t j = 0; j < output.width; ++j) {
        mpq_class sum = layer.bias.empty() ? mpq_class(0) : Exact(layer.bias[o]);
        const float* weight = layer.weights.data() + o * layer.fan_in();
        for (std::size_t c = 0; c < channels; ++c) {
          for (std::size_t u = 0; u < layer.vertical.size; ++u) {
            for (std::size_t v = 0; v < layer.horizontal.size; ++v) {
              sum += Exact(*weight++) *
                     images[group * channels + c]
                           [i * layer.vertical.stride + u * layer.vertical.dilation]
                           [j * layer.horizontal.stride + v * layer.horizontal.dilation];
            }
          }
        }
        y.push_back(sum);
      }
    }
  }
  return y;
}

// f(numbers) of each disjoint window.
template <typename Pool, typename Function>
std::vector<mpq_class> OfWindows(const Pool& pool, const SampleShape& shape,
                                 const std::vector<mpq_class>& x, const Function& f) {
  std::vector<mpq_class> y;
  for (const Image& image : ToImages(x, shape)) {
    for (std::size_t i = 0; i < shape.height; i += pool.window_height) {
      for (std::size_t j = 0; j < shape.width; j += pool.window_width) {
        std::vector<mpq_class> window;
        for (std::size_t u = 0; u < pool.window_height; ++u) {
          for (std::size_t v = 0; v < pool.window_width; ++v) window.push_back(image[i + u][j + v]);
        }
        y.push_back(f(window));
      }
    }
  }
  return y;
}

// sqrt(square), too small by less than 2^-bits.
inline mpq_class RootByFractions(const mpq_class& square, unsigned bits) {
  const mpq_class scale(mpz_class(1) << bits);
  const mpq_class scaled = square * scale * scale;
  return mpq_class(sqrt(mpz_class(scaled.get_num() / scaled.get_den()))) / scale;
}

inline std::vector<mpq_class> SortedChannels(std::size_t group_size, const SampleShape& shape,
                                             std::vector<mpq_class> x) {
  const std::size_t image = shape.height * shape.width;
  for (std::size_t position = 0; position < image; ++position) {
    for (std::size_t first = 0; first < shape.channels; first += group_size) {
      std::vector<mpq_class> group;
      for (std::size_t k = 0; k < group_size; ++k)
        group.push_back(x[(first + k) * image + position]);
      std::sort(group.begin(), group.end());
      for (std::size_t k = 0; k < group_size; ++k) x[(first + k) * image + position] = group[k];
    }
  }
  return x;
}

inline std::vector<mpq_class> ByFractions(const DenseLayer& dense,
                                          const std::vector<mpq_class>& x) {
  std::vector<mpq_class> y(dense.outputs);
  for (std::size_t o = 0; o < dense.outputs; ++o) {
    if (!dense.bias.empty()) y[o] = Exact(dense.bias[o]);
    for (std::size_t k = 0; k < dense.inputs; ++k) {
      y[o] += Exact(dense.weights[o * dense.inputs + k]) * x[k];
    }
  }
  return y;
}

// max(x, 0)
inline mpq_class PositivePart(const mpq_class& x) { return x > 0 ? x : mpq_class(0); }

// What an activation makes of x; x itself for other layers.
inline std::vector<mpq_class> ActivatedByFractions(const FrozenLayer& layer,
                                                   const SampleShape& shape,
                                                   std::vector<mpq_class> x) {
  const std::size_t image = shape.height * shape.width;
  const std::size_t half = x.size() / 2;
  if (std::holds_alternative<AbsLayer>(layer)) {
    for (mpq_class& number : x) number = PositivePart(number) + PositivePart(-number);
  } else if (std::holds_alternative<ConcatenatedReluLayer>(layer)) {
    const std::vector<mpq_class> all = x;
    for (mpq_class& number : x) number = PositivePart(number);
    for (const mpq_class& number : all) x.push_back(PositivePart(-number));
  } else if (std::holds_alternative<MaxMinLayer>(layer)) {
    for (std::size_t k = 0; k < half; ++k) {
      const mpq_class larger = x[k] + PositivePart(x[half + k] - x[k]);
      x[half + k] += x[k] - larger;
      x[k] = larger;
    }
  } else if (const auto* prelu = std::get_if<PReluLayer>(&layer)) {
    for (std::size_t k = 0; k < x.size(); ++k) {
      x[k] = PositivePart(x[k]) - Exact(prelu->slopes[k / image]) * PositivePart(-x[k]);
    }
  } else if (const auto* householder = std::get_if<HouseholderLayer>(&layer)) {
    for (std::size_t k = 0; k < half; ++k) {
      const mpq_class v0 = Exact(householder->directions[k / image * 2]);
      const mpq_class v1 = Exact(householder->directions[k / image * 2 + 1]);
      const mpq_class length = PositivePart(v0 * x[k] + v1 * x[half + k]);
      x[k] -= v0 * length;
      x[half + k] -= v1 * length;
    }
  }
  return x;
}

// The matrix of the linear part, [outputs, inputs], column by column from unit images.
inline std::vector<mpq_class> ExactMatrixOf(ConvolutionLayer layer) {
  layer.bias.clear();
  const std::size_t inputs = layer.input.size();
  std::vector<mpq_class> matrix(layer.output().size() * inputs);
  for (std::size_t k = 0; k < inputs; ++k) {
    std::vector<mpq_class> unit(inputs);
    unit[k] = 1;
    const std::vector<mpq_class> column = ByFractions(layer, layer.input, unit);
    for (std::size_t o = 0; o < column.size(); ++o) matrix[o * inputs + k] = column[o];
  }
  return matrix;
}
inline std::vector<mpq_class> ExactMatrixOf(const DenseLayer& layer) {
  std::vector<mpq_class> matrix;
  for (const float weight : layer.weights) matrix.push_back(Exact(weight));
  return matrix;
}

// x - T^T max(T x + b, 0).
template <typename Inner>
std::vector<mpq_class> PotentialByFractions(const Inner& inner, std::vector<mpq_class> hidden,
                                            std::vector<mpq_class> x) {
  const std::vector<mpq_class> matrix = ExactMatrixOf(inner);
  for (std::size_t o = 0; o < hidden.size(); ++o) {
    const mpq_class r = PositivePart(hidden[o]);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] -= matrix[o * x.size() + k] * r;
  }
  return x;
}

inline std::vector<mpq_class> UpSampledByFractions(const UpSamplingLayer& layer,
                                                   const SampleShape& shape,
                                                   const std::vector<mpq_class>& x) {
  const std::size_t h = layer.window_height;
  const std::size_t w = layer.window_width;
  std::vector<mpq_class> y;
  for (std::size_t c = 0; c < shape.channels; c += h * w) {
    for (std::size_t i = 0; i < shape.height * h; ++i) {
      for (std::size_t j = 0; j < shape.width * w; ++j) {
        const std::size_t channel = c + i % h * w + j % w;
        y.push_back(x[(channel * shape.height + i / h) * shape.width + j / w]);
      }
    }
  }
  return y;
}

inline std::vector<mpq_class> ByFractions(const FrozenLayer& layer, const SampleShape& shape,
                                          const std::vector<mpq_class>& x, unsigned root_bits) {
  if (const auto* dense = std::get_if<DenseLayer>(&layer)) return ByFractions(*dense, x);
  if (const auto* convolution = std::get_if<ConvolutionLayer>(&layer)) {
    return ByFractions(*convolution, shape, x);
  }
  if (const auto* pool = std::get_if<AveragePoolLayer>(&layer)) {
    return OfWindows(*pool, shape, x, [&](const std::vector<mpq_class>& window) {
      mpq_class sum = 0;
      for (const mpq_class& number : window) sum += number;
      return mpq_class(sum * Exact(pool->scale));
    });
  }
  if (const auto* pool = std::get_if<L2NormPoolLayer>(&layer)) {
    return OfWindows(*pool, shape, x, [&](const std::vector<mpq_class>& window) {
      mpq_class squares = 0;
      for (const mpq_class& number : window) squares += number * number;
      return RootByFractions(squares, root_bits);
    });
  }
  if (const auto* sort = std::get_if<GroupSortLayer>(&layer)) {
    return SortedChannels(sort->group_size, shape, x);
  }
  if (const auto* potential = std::get_if<ConvexPotentialLayer>(&layer)) {
    if (const auto* dense = std::get_if<DenseLayer>(&potential->inner)) {
      return PotentialByFractions(*dense, ByFractions(*dense, x), x);
    }
    const auto& convolution = std::get<ConvolutionLayer>(potential->inner);
    return PotentialByFractions(convolution, ByFractions(convolution, shape, x), x);
  }
  if (const auto* up = std::get_if<UpSamplingLayer>(&layer)) {
    return UpSampledByFractions(*up, shape, x);
  }
  return ActivatedByFractions(layer, shape, x);
}

// The scores; roots are too small by less than 2^-root_bits.
inline std::vector<mpq_class> ScoresByFractions(const FrozenNetwork& network,
                                                const std::vector<float>& input,
                                                unsigned root_bits = 2048) {
  std::vector<mpq_class> x;
  for (const float value : input) x.push_back(Exact(value));
  SampleShape shape = network.input_shape;
  for (const FrozenLayer& layer : network.layers) {
    x = ByFractions(layer, shape, x, root_bits);
    shape = OutputShape(layer, shape);
  }
  return x;
}

// `layer` with random weights and biases that are multiples of 2^-10 and below 4: sums of a few are
// float32 numbers, which MatrixOf needs.
inline ConvolutionLayer WithRandomWeights(std::mt19937_64& random, ConvolutionLayer layer) {
  const auto numbers = [&](std::size_t count) {
    std::vector<float> values(count);
    for (float& value : values) {
      value = static_cast<float>(static_cast<int>(random() % 2047) - 1023) / 1024.0F;
    }
    return values;
  };
  layer.weights = numbers(layer.output_channels * layer.fan_in());
  layer.bias = numbers(layer.output_channels);
  return layer;
}

// The same, in numbers that are float32.
inline std::vector<float> MatrixOf(const ConvolutionLayer& layer) {
  std::vector<float> matrix;
  for (const mpq_class& entry : ExactMatrixOf(layer)) {
    matrix.push_back(static_cast<float>(entry.get_d()));
  }
  return matrix;
}

// The largest singular value of the linear part, rounded to float64.
inline double NormOf(const ConvolutionLayer& layer) {
  const std::vector<float> matrix = MatrixOf(layer);
  return static_cast<double>(
      QuadOperatorNorm({matrix.data(), layer.output().size(), layer.input.size()}));
}

// Any geometry that fits, with few enough numbers for NormOf.
inline ConvolutionLayer RandomGeometry(std::mt19937_64& random, lipserve::PaddingMode mode) {
  const auto pick = [&](std::size_t from, std::size_t to) {
    return from + random() % (to - from + 1);
  };
  while (true) {
    ConvolutionLayer layer;
    layer.groups = pick(1, 2);
    layer.input = {
        .channels = layer.groups * pick(1, 2), .height = pick(1, 5), .width = pick(1, 5)};
    layer.output_channels = layer.groups * pick(1, 2);
    layer.padding_mode = mode;
    for (lipserve::WindowAxis* const axis : {&layer.vertical, &layer.horizontal}) {
      *axis = {.size = pick(1, 3),
               .stride = pick(1, 3),
               .dilation = pick(1, 2),
               .padding_before = pick(0, 3),
               .padding_after = pick(0, 3)};
    }
    const bool fits = IsValidPadding(layer.vertical, mode, layer.input.height) &&
                      IsValidPadding(layer.horizontal, mode, layer.input.width) &&
                      layer.output().size() > 0;
    if (fits && std::min(layer.output().size(), layer.input.size()) <= 30) return layer;
  }
}

// [2, 4, 4] through every kind of layer to 3 scores. Claims are proven bounds of the dense layer
// and 1e-9 above the norms of the convolutions.
inline FrozenNetwork ConvolutionalNetwork(std::uint64_t seed, bool with_l2_norm_pool) {
  std::mt19937_64 random(seed);
  FrozenNetwork network;
  network.input_shape = {.channels = 2, .height = 4, .width = 4};
  const auto add = [&](const ConvolutionLayer& geometry) {
    ConvolutionLayer layer = WithRandomWeights(random, geometry);
    layer.claimed_operator_norm_bound = NormOf(layer) * (1.0 + 1e-9);
    network.layers.emplace_back(layer);
  };
  add({.input = network.input_shape,
       .output_channels = 4,
       .groups = 2,
       .vertical = {.size = 3, .stride = 2, .dilation = 1, .padding_before = 1, .padding_after = 1},
       .horizontal =
           {.size = 2, .stride = 1, .dilation = 2, .padding_before = 1, .padding_after = 1},
       .padding_mode = lipserve::PaddingMode::kZero,
       .weights = {},
       .bias = {}});
  network.layers.emplace_back(GroupSortLayer{.group_size = 2});
  add({.input = {.channels = 4, .height = 2, .width = 4},
       .output_channels = 2,
       .groups = 1,
       .vertical = {.size = 2, .stride = 1, .dilation = 1, .padding_before = 1, .padding_after = 0},
       .horizontal =
           {.size = 3, .stride = 1, .dilation = 1, .padding_before = 1, .padding_after = 1},
       .padding_mode = lipserve::PaddingMode::kReflect,
       .weights = {},
       .bias = {}});
  network.layers.emplace_back(
      AveragePoolLayer{.window_height = 1, .window_width = 2, .scale = 0.5F});
  if (with_l2_norm_pool) {
    network.layers.emplace_back(L2NormPoolLayer{.window_height = 2, .window_width = 1});
  }
  network.layers.emplace_back(FlattenLayer{});
  const std::size_t features = with_l2_norm_pool ? 4 : 8;
  network.layers.emplace_back(RandomDense(random, features, 3, 0.5));
  return network;
}

}  // namespace lipserve::verify

#endif  // TESTS_VERIFY_CONVOLUTIONAL_NETWORK_H_
