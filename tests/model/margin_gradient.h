// SPDX-License-Identifier: Apache-2.0
// The gradient of a score difference, for attacks that walk to the decision boundary.
#ifndef TESTS_MODEL_MARGIN_GRADIENT_H_
#define TESTS_MODEL_MARGIN_GRADIENT_H_

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "model/network/frozen_network.h"
#include "tests/model/layer_definition.h"

namespace lipserve {

// The values of one evaluation in float64.
struct TracedScores {
  std::vector<std::vector<double>> values;

  const std::vector<double>& scores() const { return values.back(); }
};

// w . x in eight sums, so that the processor need not wait for one addition per product.
inline double DotProduct(std::span<const float> w, std::span<const double> x) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> sums{};
  std::size_t k = 0;
  for (; k + kLanes <= w.size(); k += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += static_cast<double>(w[k + lane]) * x[k + lane];
    }
  }
  for (; k < w.size(); ++k) sums[0] += static_cast<double>(w[k]) * x[k];
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

// One layer of the evaluation: its definition, where that is not too slow for an attack.
template <typename Number = double>
struct TracedLayer : LayerDefinition<Number> {
  using LayerDefinition<Number>::operator();

  std::vector<double> operator()(const DenseLayer& layer) const {
    std::vector<double> y(layer.bias.begin(), layer.bias.end());
    y.resize(layer.outputs, 0.0);
    const std::span<const float> weights(layer.weights);
    for (std::size_t o = 0; o < layer.outputs; ++o) {
      y[o] += DotProduct(weights.subspan(o * layer.inputs, layer.inputs), this->x);
    }
    return y;
  }
};

inline TracedScores TraceScores(const FrozenNetwork& network, std::span<const float> input) {
  return {NetworkValues<double, TracedLayer>(network, {input.begin(), input.end()})};
}

// The gradient with respect to what one layer read, from that with respect to what it computed.
struct GradientOfLayer {
  const std::vector<double>& x;  // what the layer read
  const SampleShape& shape;      // of x
  const std::vector<double>& gradient;

  std::vector<double> operator()(const FlattenLayer&) const { return gradient; }

  std::vector<double> operator()(const PermutationLayer& layer) const {
    std::vector<double> before(x.size());
    for (std::size_t k = 0; k < gradient.size(); ++k) before[layer.sources[k]] = gradient[k];
    return before;
  }

  // Of either summand.
  std::vector<double> operator()(const SumLayer&) const { return gradient; }

  std::vector<double> operator()(const ClipLayer& layer) const {
    std::vector<double> before = gradient;
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (x[k] < static_cast<double>(layer.low) || x[k] > static_cast<double>(layer.high)) {
        before[k] = 0.0;
      }
    }
    return before;
  }

  std::vector<double> operator()(const MaxPoolLayer& layer) const {
    std::vector<double> before(x.size());
    const SampleShape out = OutputShape(layer, shape);
    const LayerDefinition<double> definition{x, shape};
    for (std::size_t c = 0; c < out.channels; ++c) {
      for (std::size_t i = 0; i < out.height; ++i) {
        for (std::size_t j = 0; j < out.width; ++j) {
          before[definition.LargestOf(layer, c, i, j)] += gradient[ImageIndex(out, c, i, j)];
        }
      }
    }
    return before;
  }

  std::vector<double> operator()(const DenseLayer& layer) const {
    std::vector<double> before(x.size(), 0.0);
    for (std::size_t o = 0; o < layer.outputs; ++o) {
      for (std::size_t k = 0; k < layer.inputs; ++k) {
        before[k] += static_cast<double>(layer.weights[o * layer.inputs + k]) * gradient[o];
      }
    }
    return before;
  }

  std::vector<double> operator()(const ConvolutionLayer& layer) const {
    std::vector<double> before(x.size(), 0.0);
    const SampleShape out = layer.output();
    for (std::size_t o = 0; o < out.channels; ++o) {
      for (std::size_t i = 0; i < out.height; ++i) {
        for (std::size_t j = 0; j < out.width; ++j) {
          ForEachProduct(layer, o, i, j, [&](std::size_t weight, std::size_t source) {
            before[source] +=
                static_cast<double>(layer.weights[weight]) * gradient[ImageIndex(out, o, i, j)];
          });
        }
      }
    }
    return before;
  }

  std::vector<double> operator()(const AveragePoolLayer& layer) const {
    return OfWindows(layer, [&](std::size_t window, std::size_t /*k*/) {
      return static_cast<double>(layer.scale) * gradient[window];
    });
  }

  // At a window of zeros any subgradient will do.
  std::vector<double> operator()(const L2NormPoolLayer& layer) const {
    const std::vector<double> norms = LayerDefinition<double>{x, shape}(layer);
    return OfWindows(layer, [&](std::size_t window, std::size_t k) {
      return norms[window] > 0.0 ? x[k] / norms[window] * gradient[window] : 0.0;
    });
  }

  std::vector<double> operator()(const GroupSortLayer& layer) const {
    std::vector<double> before(x.size());
    const std::size_t area = shape.height * shape.width;
    std::vector<std::size_t> order(layer.group_size);
    for (std::size_t first = 0; first < shape.channels; first += layer.group_size) {
      for (std::size_t position = 0; position < area; ++position) {
        const std::size_t begin = first * area + position;
        for (std::size_t k = 0; k < order.size(); ++k) order[k] = begin + k * area;
        std::sort(order.begin(), order.end(),
                  [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
        for (std::size_t k = 0; k < order.size(); ++k) {
          before[order[k]] = gradient[begin + k * area];
        }
      }
    }
    return before;
  }

  // At ties any subgradient will do.
  std::vector<double> operator()(const UpSamplingLayer& layer) const {
    std::vector<double> before(x.size());
    const SampleShape out = OutputShape(layer, shape);
    const LayerDefinition<double> definition{x, shape};
    for (std::size_t c = 0; c < out.channels; ++c) {
      for (std::size_t i = 0; i < out.height; ++i) {
        for (std::size_t j = 0; j < out.width; ++j) {
          before[definition.UpSampledFrom(layer, c, i, j)] = gradient[ImageIndex(out, c, i, j)];
        }
      }
    }
    return before;
  }

  std::vector<double> operator()(const AbsLayer&) const {
    std::vector<double> before = gradient;
    for (std::size_t k = 0; k < before.size(); ++k) before[k] *= x[k] < 0.0 ? -1.0 : 1.0;
    return before;
  }

  std::vector<double> operator()(const MaxMinLayer&) const {
    std::vector<double> before = gradient;
    const std::size_t half = x.size() / 2;
    for (std::size_t k = 0; k < half; ++k) {
      if (x[k] < x[half + k]) std::swap(before[k], before[half + k]);
    }
    return before;
  }

  std::vector<double> operator()(const ConcatenatedReluLayer&) const {
    std::vector<double> before(x.size());
    for (std::size_t k = 0; k < x.size(); ++k) {
      before[k] = x[k] < 0.0 ? -gradient[x.size() + k] : gradient[k];
    }
    return before;
  }

  std::vector<double> operator()(const PReluLayer& layer) const {
    std::vector<double> before = gradient;
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (x[k] >= 0.0) continue;
      before[k] *= static_cast<double>(layer.slopes[k / (shape.height * shape.width)]);
    }
    return before;
  }

  std::vector<double> operator()(const HouseholderLayer& layer) const {
    std::vector<double> before = gradient;
    const std::size_t half = x.size() / 2;
    for (std::size_t k = 0; k < half; ++k) {
      const std::size_t pair = k / (shape.height * shape.width) * 2;
      const auto v0 = static_cast<double>(layer.directions[pair]);
      const auto v1 = static_cast<double>(layer.directions[pair + 1]);
      if (v0 * x[k] + v1 * x[half + k] <= 0.0) continue;
      const double slope = v0 * gradient[k] + v1 * gradient[half + k];
      before[k] -= v0 * slope;
      before[half + k] -= v1 * slope;
    }
    return before;
  }

  std::vector<double> operator()(const ConvexPotentialLayer& layer) const {
    std::vector<double> before = gradient;
    std::visit(
        [&](auto inner) {
          const std::vector<double> hidden = LayerDefinition<double>{x, shape}(inner);
          inner.bias.clear();
          std::vector<double> turned = LayerDefinition<double>{gradient, shape}(inner);
          for (std::size_t k = 0; k < turned.size(); ++k) {
            if (hidden[k] <= 0.0) turned[k] = 0.0;
          }
          LayerDefinition<double>::SubtractTransposed(inner, turned, before);
        },
        layer.inner);
    return before;
  }

  // part(window, k): the part of number k of its window's gradient.
  template <typename Pool, typename Part>
  std::vector<double> OfWindows(const Pool& pool, Part part) const {
    std::vector<double> before(x.size());
    const SampleShape out = OutputShape(pool, shape);
    for (std::size_t c = 0; c < shape.channels; ++c) {
      for (std::size_t i = 0; i < shape.height; ++i) {
        for (std::size_t j = 0; j < shape.width; ++j) {
          const std::size_t k = ImageIndex(shape, c, i, j);
          before[k] = part(ImageIndex(out, c, i / pool.window_height, j / pool.window_width), k);
        }
      }
    }
    return before;
  }
};

// f_i - f_j in float64; index num_scores stands for the constant score 0.
inline double ScoreDifference(const FrozenNetwork& network, std::span<const float> input,
                              std::size_t i, std::size_t j) {
  const std::vector<double> scores = TraceScores(network, input).scores();
  return (i < scores.size() ? scores[i] : 0.0) - (j < scores.size() ? scores[j] : 0.0);
}

// J^T u, J the Jacobian of the last value where `trace` was taken. At a kink, that of one side.
inline std::vector<double> Backward(const FrozenNetwork& network, const TracedScores& trace,
                                    std::vector<double> u) {
  const std::vector<SampleShape> shapes = ValueShapes(network);
  std::vector<std::vector<double>> gradients;
  for (const std::vector<double>& value : trace.values) gradients.emplace_back(value.size(), 0.0);
  gradients.back() = std::move(u);
  for (std::size_t l = network.layers.size(); l-- > 0;) {
    const std::size_t read = network.InputOf(l);
    const std::vector<double> part = std::visit(
        GradientOfLayer{trace.values[read], shapes[read], gradients[l + 1]}, network.layers[l]);
    const auto add = [&](std::vector<double>& gradient) {
      for (std::size_t k = 0; k < part.size(); ++k) gradient[k] += part[k];
    };
    add(gradients[read]);
    if (const auto* const sum = std::get_if<SumLayer>(&network.layers[l])) {
      add(gradients[sum->other]);
    }
  }
  return gradients.front();
}

// d (f_i - f_j) / dx where `trace` was taken, in float64; index num_scores stands for the constant
// score 0.
inline std::vector<double> MarginGradient(const FrozenNetwork& network, const TracedScores& trace,
                                          std::size_t i, std::size_t j) {
  std::vector<double> gradient(trace.scores().size(), 0.0);
  if (i < gradient.size()) gradient[i] += 1.0;
  if (j < gradient.size()) gradient[j] -= 1.0;
  return Backward(network, trace, std::move(gradient));
}

inline std::vector<double> MarginGradient(const FrozenNetwork& network,
                                          std::span<const float> input, std::size_t i,
                                          std::size_t j) {
  return MarginGradient(network, TraceScores(network, input), i, j);
}

// input + distance * direction / ||direction||, rounded to float32 and kept finite.
inline std::vector<float> Step(std::span<const float> input, std::span<const double> direction,
                               double distance) {
  double squares = 0.0;
  for (const double d : direction) squares += d * d;
  const double scale = squares > 0.0 ? distance / std::sqrt(squares) : 0.0;
  constexpr double kLargest = std::numeric_limits<float>::max();
  std::vector<float> moved(input.size());
  for (std::size_t k = 0; k < input.size(); ++k) {
    const double sum = static_cast<double>(input[k]) + scale * direction[k];
    moved[k] = static_cast<float>(std::clamp(sum, -kLargest, kLargest));
  }
  return moved;
}

}  // namespace lipserve

#endif  // TESTS_MODEL_MARGIN_GRADIENT_H_
