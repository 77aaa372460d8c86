// SPDX-License-Identifier: Apache-2.0
#include "trainer/evaluation/cell_distance.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <variant>

#include "absl/strings/str_cat.h"
#include "model/arithmetic/vector_norm.h"

namespace lipserve::trainer {
namespace {

// More own prototypes and more sweeps change the fourth digit of a certified accuracy.
constexpr std::size_t kOwnRows = 12;
constexpr int kSweeps = 20;
constexpr double kSweepTolerance = 1e-5;

constexpr std::size_t kLanes = 8;

// The sum of term(k) for k < n, in several sums so that the compiler may add some at once.
template <typename Term>
double Sum(std::size_t n, Term term) {
  std::array<double, kLanes> sums{};
  std::size_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += term(k + lane);
  }
  for (; k < n; ++k) sums[0] += term(k);
  double total = 0.0;
  for (const double sum : sums) total += sum;
  return total;
}

// A bound of the sum of n numbers that are not negative, each within two roundings, computed by
// Sum: a number passes at most n + kLanes + 2 roundings.
Upper SumBound(double sum, std::size_t n) {
  return Upper(sum) * Upper(1.0 + static_cast<double>(n + kLanes + 8) * 0x1p-52) +
         Upper(0x1p-400);  // what underflowed
}

// A lower bound of a * b for a >= 0.
double MultiplyDown(double a, double b) {
  return std::nextafter(a * b, -std::numeric_limits<double>::infinity());
}
double AddDown(double a, double b) {
  return std::nextafter(a + b, -std::numeric_limits<double>::infinity());
}
double SqrtDown(double a) { return a > 0.0 ? std::nextafter(std::sqrt(a), 0.0) : 0.0; }

bool IsInUnitBox(std::span<const float> x) {
  return std::all_of(x.begin(), x.end(), [](float v) { return v >= 0.0F && v <= 1.0F; });
}

// The score of a row at an input, and how far that can be off.
struct Score {
  double computed = 0.0;
  Upper error;
};

}  // namespace

absl::StatusOr<CellDistance> CellDistance::Create(const FrozenNetwork& network) {
  for (std::size_t i = 0; i + 1 < network.layers.size(); ++i) {
    if (std::holds_alternative<FlattenLayer>(network.layers[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "geometry of prototypes: expected nothing but flatten before the last layer, got layer ", i,
        ", ", DescribeLayer(network.layers[i]),
        ": distances between features are not distances between inputs"));
  }
  const ScopedStrictFloatingPoint strict;
  CellDistance distance;
  distance.rows_ = std::get<DenseLayer>(network.layers.back());
  if (distance.rows_.outputs == 1) {
    return absl::InvalidArgumentError(
        "geometry of prototypes: expected a row for each class, got a single one");
  }
  distance.rows_.bias.resize(distance.rows_.outputs, 0.0F);
  distance.per_class_ = network.prototypes_per_class;
  for (std::size_t r = 0; r < distance.rows_.outputs; ++r) {
    distance.norms_.push_back(NormBound(distance.row(r)));
  }
  return distance;
}

// The state of the proof for one input.
struct CellDistance::Search {
  Search(const CellDistance& of, std::span<const float> at, std::size_t chosen,
         AllowedInputs allowed_inputs);

  // ||w_j - w_i|| and 0, as an Upper and the numbers themselves in `between`.
  Upper Between(std::size_t i, std::size_t j);
  // At most f_i - f_j.
  double MarginDown(std::size_t i, std::size_t j) const;
  // The radius that the plane of the best own row proves.
  double PlaneRadius(std::size_t j);
  // The radius that the lemma proves with weights that a search finds.
  double CellRadius(std::size_t j);

  void FindWeights(std::size_t j);
  double Advance(std::size_t i) const;
  double Prove(std::size_t j) const;

  const CellDistance& distance;
  std::span<const float> x;
  const AllowedInputs allowed;
  const std::size_t size;
  std::vector<Score> scores;
  std::vector<std::size_t> own;  // the best rows of the class, best first
  std::vector<double> between;   // [F]
  std::vector<double> steps;     // a_i of `own`, [own, F]
  std::vector<double> weights;   // l_i
  std::vector<double> sum;       // sum l_i a_i, [F]
};

CellDistance::Search::Search(const CellDistance& of, std::span<const float> at, std::size_t chosen,
                             AllowedInputs allowed_inputs)
    : distance(of),
      x(at),
      allowed(allowed_inputs),
      size(at.size()),
      between(at.size()),
      sum(at.size()) {
  const std::size_t rows = of.rows_.outputs;
  const Upper norm = NormBound(x);
  const Upper gamma = Gamma(static_cast<double>(size + 2), kUnitRoundoff64);
  scores.resize(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::span<const float> w = of.row(r);
    const auto bias = static_cast<double>(of.rows_.bias[r]);
    // Products of float32 numbers are exact in float64.
    scores[r].computed =
        Sum(size,
            [&](std::size_t k) { return static_cast<double>(w[k]) * static_cast<double>(x[k]); }) +
        bias;
    scores[r].error = gamma * (of.norms_[r] * norm + Upper(std::fabs(bias)));
  }
  own.resize(of.per_class_);
  std::iota(own.begin(), own.end(), chosen * of.per_class_);
  std::sort(own.begin(), own.end(), [this](std::size_t a, std::size_t b) {
    return scores[a].computed > scores[b].computed;
  });
  own.resize(std::min(own.size(), kOwnRows));
  steps.resize(own.size() * size);
  weights.resize(own.size());
}

Upper CellDistance::Search::Between(std::size_t i, std::size_t j) {
  const std::span<const float> from = distance.row(i);
  const std::span<const float> to = distance.row(j);
  for (std::size_t k = 0; k < size; ++k) {
    between[k] = static_cast<double>(to[k]) - static_cast<double>(from[k]);
  }
  const Upper one_rounding(1.0 + 0x1p-52);
  return NormBound(std::span<const double>(between)) * one_rounding;
}

double CellDistance::Search::MarginDown(std::size_t i, std::size_t j) const {
  const Upper error = scores[i].error + scores[j].error;
  return SubtractDown(SubtractDown(scores[i].computed, scores[j].computed), error.value());
}

double CellDistance::Search::PlaneRadius(std::size_t j) {
  return DivideDown(MarginDown(own[0], j), Between(own[0], j).value());
}

// <a_i, d> for the step d that belongs to `sum`.
double CellDistance::Search::Advance(std::size_t i) const {
  const double* const a = &steps[i * size];
  if (allowed == AllowedInputs::kAll) {
    return Sum(size, [&](std::size_t k) { return a[k] * sum[k]; });
  }
  return Sum(size, [&](std::size_t k) {
    const auto start = static_cast<double>(x[k]);
    return a[k] * (std::min(std::max(start + sum[k], 0.0), 1.0) - start);
  });
}

// Coordinate ascent on the lemma's right-hand side.
void CellDistance::Search::FindWeights(std::size_t j) {
  std::fill(weights.begin(), weights.end(), 0.0);
  std::fill(sum.begin(), sum.end(), 0.0);
  std::vector<double> margins;
  for (std::size_t i = 0; i < own.size(); ++i) {
    Between(own[i], j);
    std::copy(between.begin(), between.end(), steps.begin() + static_cast<long>(i * size));
    margins.push_back(scores[own[i]].computed - scores[j].computed);
  }
  const bool in_box = allowed == AllowedInputs::kUnitBox;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    double largest = 0.0;
    double change = 0.0;
    for (std::size_t i = 0; i < own.size(); ++i) {
      const double* const a = &steps[i * size];
      const double curvature = Sum(size, [&](std::size_t k) {
        const double end = static_cast<double>(x[k]) + sum[k];
        const bool moves = !in_box || (a[k] > 0.0 ? end < 1.0 : end > 0.0);
        return moves ? a[k] * a[k] : 0.0;
      });
      if (!(curvature > 0.0)) continue;
      const double before = weights[i];
      weights[i] = std::max(0.0, before + (margins[i] - Advance(i)) / curvature);
      const double moved = weights[i] - before;
      for (std::size_t k = 0; k < size; ++k) sum[k] += moved * a[k];
      largest = std::max(largest, weights[i]);
      change = std::max(change, std::fabs(moved));
    }
    if (change <= kSweepTolerance * largest) break;
  }
}

double CellDistance::Search::Prove(std::size_t j) const {
  // a and sum l_i |a_i|, from the rows themselves: each number carries at most own + 2 roundings.
  std::vector<double> a(size, 0.0);
  std::vector<double> magnitudes(size, 0.0);
  double margin = 0.0;
  for (std::size_t i = 0; i < own.size(); ++i) {
    const double weight = weights[i];
    if (!(weight > 0.0)) continue;
    const std::span<const float> from = distance.row(own[i]);
    const std::span<const float> to = distance.row(j);
    for (std::size_t k = 0; k < size; ++k) {
      const double term = weight * (static_cast<double>(to[k]) - static_cast<double>(from[k]));
      a[k] += term;
      magnitudes[k] += std::fabs(term);
    }
    margin = AddDown(margin, MultiplyDown(weight, MarginDown(own[i], j)));
  }
  const Upper gamma = Gamma(static_cast<double>(2 * own.size() + 8), kUnitRoundoff64);
  if (allowed == AllowedInputs::kAll) {
    const Upper length = NormBound(std::span<const double>(a)) +
                         gamma * NormBound(std::span<const double>(magnitudes));
    return DivideDown(margin, length.value());
  }
  // No |d_k| exceeds 1, so <a, d> is off by less than this.
  const Upper off = gamma * SumBound(Sum(size, [&](std::size_t k) { return magnitudes[k]; }), size);
  const double infimum = Sum(size, [&](std::size_t k) {
    const auto start = static_cast<double>(x[k]);
    // A larger box is allowed, so that its upper end may be rounded up.
    const double top = std::nextafter(1.0 - start, 2.0);
    const double d = std::min(std::max(a[k], -start), top);
    return d * (a[k] - 0.5 * d);
  });
  const double half_square =
      SubtractDown(SubtractDown(margin, off.value()), SumBound(infimum, size).value());
  return SqrtDown(2.0 * half_square);
}

double CellDistance::Search::CellRadius(std::size_t j) {
  FindWeights(j);
  return Prove(j);
}

double CellDistance::Radius(std::span<const float> input, std::size_t chosen,
                            AllowedInputs allowed) const {
  assert(input.size() == rows_.inputs);
  if (allowed == AllowedInputs::kUnitBox && !IsInUnitBox(input)) return 0.0;
  Search search(*this, input, chosen, allowed);
  struct OtherRow {
    std::size_t row;
    double radius;
  };
  std::vector<OtherRow> other_rows;
  for (std::size_t j = 0; j < rows_.outputs; ++j) {
    if (j / per_class_ == chosen) continue;
    other_rows.push_back({j, search.PlaneRadius(j)});
    if (!(search.MarginDown(search.own[0], j) > 0.0)) return 0.0;  // NaN too
  }
  std::sort(other_rows.begin(), other_rows.end(),
            [](const OtherRow& a, const OtherRow& b) { return a.radius < b.radius; });
  double radius = static_cast<double>(std::numeric_limits<float>::max());
  for (const OtherRow& other_row : other_rows) {
    // The planes of those that follow are farther.
    if (other_row.radius >= radius) break;
    radius = std::min(radius, std::max(other_row.radius, search.CellRadius(other_row.row)));
  }
  return radius;
}

}  // namespace lipserve::trainer
