// SPDX-License-Identifier: Apache-2.0
#include "tests/soundness/real_radius.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <variant>

#include "tests/model/network_fixtures.h"
#include "tests/model/quad_eigenvalue.h"

namespace lipserve {
namespace {

// Jacobi rotations of larger matrices take minutes.
constexpr std::size_t kLargestJacobi = 40;

// W W^T or W^T W, whichever is smaller, as c I + E with E in float64.
struct ShiftedGram {
  std::size_t size = 0;
  Quad shift = 0;
  std::vector<double> rest;  // E, [size, size]
};

ShiftedGram Gram(ConstMatrixView w) {
  const bool wide = w.rows <= w.cols;
  const std::size_t p = wide ? w.rows : w.cols;
  const std::size_t q = wide ? w.cols : w.rows;
  const auto at = [&](std::size_t i, std::size_t k) {
    return static_cast<double>(wide ? w.data[i * w.cols + k] : w.data[k * w.cols + i]);
  };
  std::vector<Quad> gram(p * p);
  ShiftedGram result{.size = p, .shift = 0, .rest = std::vector<double>(p * p)};
  for (std::size_t i = 0; i < p; ++i) {
    for (std::size_t j = i; j < p; ++j) {
      Quad sum = 0;
      for (std::size_t k = 0; k < q; ++k) sum += static_cast<Quad>(at(i, k) * at(j, k));  // exact
      gram[i * p + j] = gram[j * p + i] = sum;
    }
    result.shift += gram[i * p + i] / static_cast<Quad>(p);
  }
  for (std::size_t i = 0; i < p; ++i) gram[i * p + i] -= result.shift;
  std::transform(gram.begin(), gram.end(), result.rest.begin(),
                 [](Quad value) { return static_cast<double>(value); });
  return result;
}

// The largest eigenvalue of E from below, by power iterations on E + s I with s >= ||E||.
double LargestEigenvalue(const ShiftedGram& gram) {
  constexpr int kIterations = 5000;
  double bound = 0.0;
  for (std::size_t i = 0; i < gram.size; ++i) {
    double row = 0.0;
    for (std::size_t j = 0; j < gram.size; ++j) row += std::fabs(gram.rest[i * gram.size + j]);
    bound = std::max(bound, row);
  }
  std::vector<double> x(gram.size);
  for (std::size_t i = 0; i < gram.size; ++i) x[i] = 1.0 + 1e-3 * static_cast<double>(i % 7);
  std::vector<double> y(gram.size);
  double quotient = 0.0;
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    double product = 0.0;
    double length = 0.0;
    double next_length = 0.0;
    for (std::size_t i = 0; i < gram.size; ++i) {
      double sum = 0.0;
      for (std::size_t j = 0; j < gram.size; ++j) sum += gram.rest[i * gram.size + j] * x[j];
      product += x[i] * sum;
      length += x[i] * x[i];
      y[i] = sum + bound * x[i];
      next_length += y[i] * y[i];
    }
    quotient = product / length;
    if (!(next_length > 0.0)) break;
    const double scale = 1.0 / std::sqrt(next_length);
    for (std::size_t i = 0; i < gram.size; ++i) x[i] = scale * y[i];
  }
  return quotient;
}

Quad LastWeight(const DenseLayer& last, std::size_t row, std::size_t k) {
  return row < last.outputs ? static_cast<Quad>(last.weights[row * last.inputs + k]) : 0;
}

}  // namespace

Quad TrueOperatorNorm(ConstMatrixView w) {
  if (std::min(w.rows, w.cols) <= kLargestJacobi) return QuadOperatorNorm(w);
  const ShiftedGram gram = Gram(w);
  return QuadSqrt(gram.shift + static_cast<Quad>(LargestEigenvalue(gram)));
}

RealRadius::RealRadius(const FrozenNetwork& network)
    : network_(network), num_rows_(NumClasses(network) * network.prototypes_per_class) {
  for (std::size_t l = 0; l + 1 < network.layers.size(); ++l) {
    const FrozenLayer& layer = network.layers[l];
    if (const auto* dense = std::get_if<DenseLayer>(&layer)) {
      hidden_norm_ *= TrueOperatorNorm({dense->weights.data(), dense->outputs, dense->inputs});
    } else {
      assert(std::holds_alternative<FlattenLayer>(layer) ||
             std::holds_alternative<GroupSortLayer>(layer));
    }
  }
  const auto& last = std::get<DenseLayer>(network.layers.back());
  for (std::size_t i = 0; i < num_rows_; ++i) {
    for (std::size_t j = 0; j < num_rows_; ++j) {
      Quad squares = 0;
      for (std::size_t k = 0; k < last.inputs; ++k) {
        const Quad difference = LastWeight(last, i, k) - LastWeight(last, j, k);
        squares += difference * difference;
      }
      pair_norms_.push_back(QuadSqrt(squares));
    }
  }
}

Quad RealRadius::At(std::span<const float> input, std::size_t chosen) const {
  const std::vector<Quad> scores = QuadRowScores(network_, input);
  const std::size_t count = network_.prototypes_per_class;
  Quad radius = ByRow(scores, chosen * count);
  for (std::size_t own = chosen * count + 1; own < (chosen + 1) * count; ++own) {
    radius = std::max(radius, ByRow(scores, own));
  }
  return radius;
}

Quad RealRadius::ByRow(const std::vector<Quad>& scores, std::size_t own) const {
  const std::size_t count = network_.prototypes_per_class;
  Quad radius = static_cast<Quad>(std::numeric_limits<double>::infinity());
  for (std::size_t j = 0; j < num_rows_; ++j) {
    if (j / count == own / count) continue;
    const Quad margin = scores[own] - scores[j];
    const Quad lipschitz = hidden_norm_ * pair_norms_[own * num_rows_ + j];
    if (lipschitz > 0) {
      radius = std::min(radius, margin / lipschitz);
    } else if (margin <= 0) {
      radius = 0;
    }
  }
  return radius;
}

}  // namespace lipserve
