// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/white_box.h"

#include <cmath>
#include <limits>
#include <variant>

namespace lipserve {
namespace {

double ScoreAt(const TracedScores& trace, std::size_t i) {
  return i < trace.scores.size() ? trace.scores[i] : 0.0;
}

std::size_t Argmax(const TracedScores& trace, std::size_t num_classes) {
  std::size_t best = 0;
  for (std::size_t j = 1; j < num_classes; ++j) {
    if (ScoreAt(trace, j) > ScoreAt(trace, best)) best = j;
  }
  return best;
}

double LastWeight(const DenseLayer& last, std::size_t row, std::size_t k) {
  return row < last.outputs ? static_cast<double>(last.weights[row * last.inputs + k]) : 0.0;
}

}  // namespace

double Norm(std::span<const double> v) {
  double squares = 0.0;
  for (const double value : v) squares += value * value;
  return std::sqrt(squares);
}

std::vector<double> Difference(std::span<const float> end, std::span<const float> start) {
  std::vector<double> moved(end.size());
  for (std::size_t k = 0; k < end.size(); ++k) {
    moved[k] = static_cast<double>(end[k]) - static_cast<double>(start[k]);
  }
  return moved;
}

WhiteBox::WhiteBox(const FrozenNetwork& network)
    : network_(network), num_classes_(NumClasses(network)) {
  const auto& last = std::get<DenseLayer>(network.layers.back());
  std::vector<double> row(last.inputs);
  for (std::size_t i = 0; i < num_classes_; ++i) {
    for (std::size_t j = 0; j < num_classes_; ++j) {
      for (std::size_t k = 0; k < last.inputs; ++k) {
        row[k] = LastWeight(last, i, k) - LastWeight(last, j, k);
      }
      pair_norms_.push_back(Norm(row));
    }
  }
}

std::size_t WhiteBox::ClassOf(std::span<const float> input) const {
  return Argmax(TraceScores(network_, input), num_classes_);
}

Descent WhiteBox::TowardsNearest(std::span<const float> input, std::size_t chosen) const {
  const TracedScores trace = TraceScores(network_, input);
  std::size_t nearest = chosen == 0 ? 1 : 0;
  double shortest = std::numeric_limits<double>::infinity();
  for (std::size_t j = 0; j < num_classes_; ++j) {
    const double norm = pair_norms_[chosen * num_classes_ + j];
    if (j == chosen || norm == 0.0) continue;
    const double distance = (ScoreAt(trace, chosen) - ScoreAt(trace, j)) / norm;
    if (distance < shortest) {
      shortest = distance;
      nearest = j;
    }
  }
  return TowardsFrom(trace, chosen, nearest);
}

Descent WhiteBox::Towards(std::span<const float> input, std::size_t chosen,
                          std::size_t other) const {
  return TowardsFrom(TraceScores(network_, input), chosen, other);
}

Descent WhiteBox::TowardsFrom(const TracedScores& trace, std::size_t chosen,
                              std::size_t other) const {
  Descent descent;
  descent.other = other;
  descent.margin = ScoreAt(trace, chosen) - ScoreAt(trace, other);
  descent.gradient = MarginGradient(network_, trace, other, chosen);
  descent.slope = Norm(descent.gradient);
  return descent;
}

}  // namespace lipserve
