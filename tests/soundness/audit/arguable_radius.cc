// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/audit/arguable_radius.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <variant>

#include "model/foundation/overloaded.h"
#include "tests/model/margin_gradient.h"
#include "tests/model/quad_network.h"
#include "tests/soundness/attacks/white_box.h"

namespace lipserve {
namespace {

// A lower bound of the Lipschitz constant that the certificate's argument has for `layer`.
double LipschitzFromBelow(const FrozenLayer& layer, const SampleShape& input) {
  const double claimed = ClaimedNormFromBelow(layer, input);
  return std::visit(
      Overloaded{
          [&](const DenseLayer&) { return claimed; },
          [&](const ConvolutionLayer&) { return claimed; },
          [&](const ConvexPotentialLayer&) { return std::max(1.0, claimed * claimed - 1.0); },
          [](const AveragePoolLayer& pool) {
            return static_cast<double>(pool.scale) *
                   std::sqrt(static_cast<double>(pool.window_height * pool.window_width));
          },
          [](const PReluLayer& prelu) {
            double largest = 1.0;
            for (const float slope : prelu.slopes) {
              largest = std::max(largest, std::fabs(static_cast<double>(slope)));
            }
            return largest;
          },
          // The most windows that read a number.
          [&](const MaxPoolLayer& pool) {
            const SampleShape out = OutputShape(pool, input);
            std::vector<double> reads(input.height * input.width, 0.0);
            for (std::size_t i = 0; i < out.height; ++i) {
              for (std::size_t j = 0; j < out.width; ++j) {
                ForEachRead(pool, input, i, j, [&](std::size_t row, std::size_t column) {
                  reads[row * input.width + column] += 1.0;
                });
              }
            }
            return std::sqrt(*std::max_element(reads.begin(), reads.end()));
          },
          [](const HouseholderLayer& layer_of_pairs) {
            double largest = 2.0;
            const auto& v = layer_of_pairs.directions;
            for (std::size_t k = 0; k < v.size(); k += 2) {
              largest = std::max(largest, std::pow(static_cast<double>(v[k]), 2.0) +
                                              std::pow(static_cast<double>(v[k + 1]), 2.0));
            }
            return largest - 1.0;
          },
          [](const auto&) { return 1.0; }},
      layer);
}

}  // namespace

double ClaimedNormFromBelow(const FrozenLayer& layer, const SampleShape& input) {
  FrozenLayer linear = layer;
  if (const auto* const potential = std::get_if<ConvexPotentialLayer>(&layer)) {
    linear = std::visit([](auto inner) { return FrozenLayer(std::move(inner)); }, potential->inner);
  }
  if (auto* const dense = std::get_if<DenseLayer>(&linear)) {
    dense->bias.clear();
  } else if (auto* const convolution = std::get_if<ConvolutionLayer>(&linear)) {
    convolution->bias.clear();
  } else {
    return 0.0;
  }
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  std::vector<double> v(input.size());
  for (double& value : v) value = normal(random);
  double best = 0.0;
  for (int iteration = 0; iteration < 300; ++iteration) {
    const double norm = Norm(v);
    if (!(norm > 0.0)) break;
    for (double& value : v) value /= norm;
    const std::vector<double> u = std::visit(TracedLayer<>{v, input}, linear);
    best = std::max(best, Norm(u));
    v = std::visit(GradientOfLayer{v, input, u}, linear);
  }
  return best;
}

ArguableRadius::ArguableRadius(const FrozenNetwork& network) : network_(network) {
  const std::vector<SampleShape> shapes = ValueShapes(network);
  std::vector<double> norms = {1.0};
  for (std::size_t l = 0; l + 1 < network.layers.size(); ++l) {
    const std::size_t read = network.InputOf(l);
    if (const auto* const sum = std::get_if<SumLayer>(&network.layers[l])) {
      norms.push_back(norms[read] + norms[sum->other]);
    } else {
      norms.push_back(norms[read] * LipschitzFromBelow(network.layers[l], shapes[read]));
    }
  }
  hidden_norm_ = norms[network.InputOf(network.layers.size() - 1)];
}

ArguableAnswer ArguableRadius::At(std::span<const float> input, std::size_t chosen) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<Quad> scores = QuadRowScores(network_, input);
  const auto& last = std::get<DenseLayer>(network_.layers.back());
  const auto weight = [&](std::size_t row, std::size_t k) {
    return row < last.outputs ? static_cast<double>(last.weights[row * last.inputs + k]) : 0.0;
  };
  const std::size_t count = network_.prototypes_per_class;
  ArguableAnswer best{.radius = -kInfinity, .margin = -kInfinity};
  for (std::size_t i = chosen * count; i < (chosen + 1) * count; ++i) {
    ArguableAnswer of_row{.radius = kInfinity, .margin = kInfinity};
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (j / count == chosen) continue;
      double squares = 0.0;
      for (std::size_t k = 0; k < last.inputs; ++k) {
        squares += std::pow(weight(i, k) - weight(j, k), 2.0);
      }
      const auto margin = static_cast<double>(scores[i] - scores[j]);
      const double lipschitz = std::sqrt(squares) * hidden_norm_;
      of_row.margin = std::min(of_row.margin, margin);
      if (lipschitz > 0.0) {
        of_row.radius = std::min(of_row.radius, margin / lipschitz);
      } else if (margin <= 0.0) {
        of_row.radius = std::min(of_row.radius, 0.0);
      }
    }
    best.radius = std::max(best.radius, of_row.radius);
    best.margin = std::max(best.margin, of_row.margin);
  }
  return best;
}

}  // namespace lipserve
