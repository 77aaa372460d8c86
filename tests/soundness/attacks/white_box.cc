// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/attacks/white_box.h"

#include <cmath>
#include <limits>
#include <variant>

namespace lipserve {
namespace {

double ScoreAt(const TracedScores& trace, std::size_t i) {
  return i < trace.scores().size() ? trace.scores()[i] : 0.0;
}

// The row with the largest score from `first` to before `end`.
std::size_t Argmax(const TracedScores& trace, std::size_t first, std::size_t end) {
  std::size_t best = first;
  for (std::size_t j = first; j < end; ++j) {
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
    : network_(network),
      num_classes_(NumClasses(network)),
      num_rows_(num_classes_ * network.prototypes_per_class) {
  const auto& last = std::get<DenseLayer>(network.layers.back());
  std::vector<double> row(last.inputs);
  for (std::size_t i = 0; i < num_rows_; ++i) {
    for (std::size_t j = 0; j < num_rows_; ++j) {
      for (std::size_t k = 0; k < last.inputs; ++k) {
        row[k] = LastWeight(last, i, k) - LastWeight(last, j, k);
      }
      pair_norms_.push_back(Norm(row));
    }
  }
}

std::size_t WhiteBox::ClassOf(std::span<const float> input) const {
  return Argmax(TraceScores(network_, input), 0, num_rows_) / network_.prototypes_per_class;
}

Descent WhiteBox::TowardsNearest(std::span<const float> input, std::size_t chosen) const {
  return TowardsFrom(TraceScores(network_, input), chosen,
                     [chosen](std::size_t other) { return other != chosen; });
}

Descent WhiteBox::Towards(std::span<const float> input, std::size_t chosen,
                          std::size_t other) const {
  return TowardsFrom(TraceScores(network_, input), chosen,
                     [other](std::size_t candidate) { return candidate == other; });
}

template <typename Predicate>
Descent WhiteBox::TowardsFrom(const TracedScores& trace, std::size_t chosen,
                              Predicate wanted) const {
  const std::size_t count = network_.prototypes_per_class;
  const std::size_t own = Argmax(trace, chosen * count, (chosen + 1) * count);
  std::size_t nearest = num_rows_;
  double shortest = std::numeric_limits<double>::infinity();
  for (std::size_t j = 0; j < num_rows_; ++j) {
    if (!wanted(j / count)) continue;
    if (nearest == num_rows_) nearest = j;
    const double norm = pair_norms_[own * num_rows_ + j];
    if (norm == 0.0) continue;
    const double distance = (ScoreAt(trace, own) - ScoreAt(trace, j)) / norm;
    if (distance < shortest) {
      shortest = distance;
      nearest = j;
    }
  }
  Descent descent;
  descent.other = nearest / count;
  descent.margin = ScoreAt(trace, own) - ScoreAt(trace, nearest);
  descent.gradient = MarginGradient(network_, trace, nearest, own);
  descent.slope = Norm(descent.gradient);
  return descent;
}

}  // namespace lipserve
