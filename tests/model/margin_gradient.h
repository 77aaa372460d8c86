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

namespace lipserve {

// One evaluation in float64 that remembers where each sort took its values from.
struct TracedScores {
  std::vector<double> scores;
  std::vector<std::vector<std::size_t>> orders;  // per sort layer, [its size]
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

inline TracedScores TraceScores(const FrozenNetwork& network, std::span<const float> input) {
  TracedScores trace{{input.begin(), input.end()}, {}};
  for (const FrozenLayer& layer : network.layers) {
    const std::vector<double> x = std::move(trace.scores);
    if (const auto* sort = std::get_if<GroupSortLayer>(&layer)) {
      std::vector<std::size_t> order(x.size());
      std::iota(order.begin(), order.end(), 0U);
      for (std::size_t g = 0; g < x.size(); g += sort->group_size) {
        const auto first = order.begin() + static_cast<std::ptrdiff_t>(g);
        std::sort(first, first + static_cast<std::ptrdiff_t>(sort->group_size),
                  [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
      }
      trace.scores.resize(x.size());
      for (std::size_t k = 0; k < x.size(); ++k) trace.scores[k] = x[order[k]];
      trace.orders.push_back(std::move(order));
    } else if (const auto* dense = std::get_if<DenseLayer>(&layer)) {
      trace.scores.assign(dense->bias.begin(), dense->bias.end());
      trace.scores.resize(dense->outputs, 0.0);
      const std::span<const float> weights(dense->weights);
      for (std::size_t o = 0; o < dense->outputs; ++o) {
        trace.scores[o] += DotProduct(weights.subspan(o * dense->inputs, dense->inputs), x);
      }
    } else {
      trace.scores = x;
    }
  }
  return trace;
}

// f_i - f_j in float64; index num_scores stands for the constant score 0.
inline double ScoreDifference(const FrozenNetwork& network, std::span<const float> input,
                              std::size_t i, std::size_t j) {
  const std::vector<double> scores = TraceScores(network, input).scores;
  return (i < scores.size() ? scores[i] : 0.0) - (j < scores.size() ? scores[j] : 0.0);
}

// d (f_i - f_j) / dx where `trace` was taken, in float64; index num_scores stands for the constant
// score 0.
inline std::vector<double> MarginGradient(const FrozenNetwork& network, const TracedScores& trace,
                                          std::size_t i, std::size_t j) {
  auto order = trace.orders.rbegin();
  std::vector<double> gradient(trace.scores.size(), 0.0);
  if (i < gradient.size()) gradient[i] += 1.0;
  if (j < gradient.size()) gradient[j] -= 1.0;
  for (auto layer = network.layers.rbegin(); layer != network.layers.rend(); ++layer) {
    if (std::holds_alternative<GroupSortLayer>(*layer)) {
      std::vector<double> before(gradient.size());
      for (std::size_t k = 0; k < before.size(); ++k) before[(*order)[k]] = gradient[k];
      ++order;
      gradient = std::move(before);
    } else if (const auto* dense = std::get_if<DenseLayer>(&*layer)) {
      std::vector<double> before(dense->inputs, 0.0);
      for (std::size_t o = 0; o < dense->outputs; ++o) {
        for (std::size_t k = 0; k < dense->inputs; ++k) {
          before[k] += static_cast<double>(dense->weights[o * dense->inputs + k]) * gradient[o];
        }
      }
      gradient = std::move(before);
    }
  }
  return gradient;
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
