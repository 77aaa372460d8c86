// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/prototype_pairs.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>

namespace lipserve::trainer {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double PrototypeDistance(std::span<const float> a, std::span<const float> b) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> squares{};
  std::size_t k = 0;
  for (; k + kLanes <= a.size(); k += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float difference = a[k + lane] - b[k + lane];
      squares[lane] += difference * difference;
    }
  }
  double sum = 0.0;
  for (; k < a.size(); ++k) {
    const double difference = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    sum += difference * difference;
  }
  for (const float square : squares) sum += static_cast<double>(square);
  return std::max(std::sqrt(sum), kSmallestPrototypeDistance);
}

double SquaredNorm(std::span<const float> x) {
  double squares = 0.0;
  for (const float number : x) squares += static_cast<double>(number) * static_cast<double>(number);
  return squares;
}

}  // namespace

void PrototypePairs::KeepIfLeast(const PrototypeRatio& pair, std::size_t count) {
  const auto place = std::upper_bound(
      pairs_.begin(), pairs_.end(), pair,
      [](const PrototypeRatio& a, const PrototypeRatio& b) { return a.ratio < b.ratio; });
  pairs_.insert(place, pair);
  if (pairs_.size() > count) pairs_.pop_back();
}

void PrototypePairs::Find(const ScoredBatch& batch, std::size_t n, std::size_t count) {
  assert(count >= 1 && batch.head.rows == batch.scores.cols);
  const std::span<const float> f = batch.scores.row(n);
  const std::size_t per_class = batch.scores_per_class;
  const std::size_t first = static_cast<std::size_t>(batch.labels[n]) * per_class;
  const auto own_scores = f.subspan(first, per_class);
  own_ = first + static_cast<std::size_t>(std::max_element(own_scores.begin(), own_scores.end()) -
                                          own_scores.begin());
  const double squares = SquaredNorm(batch.features.row(n));
  const auto distance_to = [&](std::size_t r) {
    return std::sqrt(std::max(squares - 2.0 * static_cast<double>(f[r]), 0.0));
  };
  const auto difference = [&](std::size_t j) {
    return static_cast<double>(f[own_]) - static_cast<double>(f[j]);
  };
  const double own_distance = distance_to(own_);
  candidates_.clear();
  for (std::size_t j = 0; j < f.size(); ++j) {
    if (j >= first && j < first + per_class) continue;
    // A negative ratio is larger for distant pairs, so this gives no lower bound of it.
    const double bound =
        difference(j) < 0.0 ? -kInfinity : difference(j) / (own_distance + distance_to(j) + 1e-9);
    candidates_.emplace_back(bound, j);
  }
  // In ascending order of the bounds, as long as a candidate can still be among the smallest.
  std::make_heap(candidates_.begin(), candidates_.end(), std::greater<>());
  pairs_.clear();
  for (auto end = candidates_.end(); end != candidates_.begin(); --end) {
    const auto [bound, j] = candidates_.front();
    if (pairs_.size() == count && bound >= pairs_.back().ratio) break;
    const double apart = PrototypeDistance(batch.head.row(own_), batch.head.row(j));
    KeepIfLeast({j, difference(j), difference(j) / apart}, count);
    std::pop_heap(candidates_.begin(), end, std::greater<>());
  }
}

}  // namespace lipserve::trainer
