// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/prototype_margin_loss.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"
#include "trainer/losses/unit_box.h"

namespace lipserve::trainer {
namespace {

// The pairs whose distances in the box are computed. The nearest in the box is seldom beyond the
// third; a miss makes the loss a little too small.
constexpr std::size_t kPairsInBox = 5;

}  // namespace

PrototypeMarginLoss::PrototypeMarginLoss(const PrototypeMarginOptions& options,
                                         std::size_t prototypes_per_class)
    : options_(options), prototypes_per_class_(prototypes_per_class) {
  parameters_ = {{"margin", &options_.margin, std::numeric_limits<double>::min(),
                  std::numeric_limits<double>::max()}};
}

std::string PrototypeMarginLoss::description() const {
  return absl::StrFormat("PrototypeMargin(margin=%g%s)", options_.margin,
                         options_.inputs_in_unit_box ? ", inputs in [0, 1]" : "");
}

std::vector<Metric> PrototypeMarginLoss::Metrics(ConstMatrixView scores,
                                                 std::span<const std::int32_t> labels) const {
  return {{"accuracy", Accuracy(scores, labels, prototypes_per_class_)}};
}

void PrototypeMarginLoss::SetPlainLimit(const ScoredBatch& batch, const PrototypeRatio& pair) {
  const std::span<const float> own = batch.head.row(limit_.own);
  const std::span<const float> other = batch.head.row(pair.other);
  double squares = 0.0;
  for (std::size_t k = 0; k < own.size(); ++k) {
    limit_.along[k] = static_cast<double>(other[k]) - static_cast<double>(own[k]);
    squares += limit_.along[k] * limit_.along[k];
  }
  const double distance = std::sqrt(squares);
  limit_.other = pair.other;
  limit_.slope = 1.0 / std::max(distance, kSmallestPrototypeDistance);
  // In float64; the search's is good enough to choose by.
  limit_.radius = pair.difference * limit_.slope;
  // At the smallest distance the ratio no longer depends on it.
  const double scale =
      distance > kSmallestPrototypeDistance ? limit_.radius * limit_.slope * limit_.slope : 0.0;
  for (double& number : limit_.along) number *= scale;
}

void PrototypeMarginLoss::SetLimitInBox(const ScoredBatch& batch, std::size_t n) {
  const std::span<const float> x = batch.features.row(n);
  const std::span<const float> own = batch.head.row(limit_.own);
  BoxStep nearest{.multiplier = 0.0, .length = std::numeric_limits<double>::infinity()};
  std::size_t other = 0;
  const auto set_between = [&](std::size_t j) {
    const std::span<const float> row = batch.head.row(j);
    for (std::size_t k = 0; k < row.size(); ++k) {
      between_[k] = static_cast<double>(row[k]) - static_cast<double>(own[k]);
    }
  };
  for (const PrototypeRatio& pair : pairs_.pairs()) {
    // No distance in the box is below the plain one.
    if (pair.ratio >= nearest.length) break;
    set_between(pair.other);
    const BoxStep step = NearestInUnitBox(x, between_, pair.difference);
    if (step.length >= nearest.length) continue;
    nearest = step;
    other = pair.other;
  }
  limit_.radius = nearest.length;
  if (!std::isfinite(nearest.length) || nearest.length <= 0.0) return;
  limit_.other = other;
  set_between(other);
  limit_.slope = nearest.multiplier / nearest.length;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const auto start = static_cast<double>(x[k]);
    const double end = std::clamp(start + nearest.multiplier * between_[k], 0.0, 1.0);
    limit_.along[k] = limit_.slope * (end - start);
  }
}

void PrototypeMarginLoss::FindLimit(const ScoredBatch& batch, std::size_t n) {
  pairs_.Find(batch, n, options_.inputs_in_unit_box ? kPairsInBox : 1);
  limit_.own = pairs_.own();
  limit_.along.resize(batch.head.cols);
  between_.resize(batch.head.cols);
  const PrototypeRatio& least = pairs_.pairs()[0];
  if (options_.inputs_in_unit_box && least.difference > 0.0) {
    SetLimitInBox(batch, n);
  } else {
    SetPlainLimit(batch, least);
  }
}

void PrototypeMarginLoss::AddGradient(std::size_t n, double share,
                                      const LossGradient& gradient) const {
  gradient.scores.row(n)[limit_.own] = static_cast<float>(share * limit_.slope);
  gradient.scores.row(n)[limit_.other] = static_cast<float>(-share * limit_.slope);
  const std::span<float> own = gradient.head.row(limit_.own);
  const std::span<float> other = gradient.head.row(limit_.other);
  for (std::size_t k = 0; k < own.size(); ++k) {
    const auto moved = static_cast<float>(share * limit_.along[k]);
    own[k] += moved;
    other[k] -= moved;
  }
}

double PrototypeMarginLoss::Evaluate(const ScoredBatch& batch, const LossGradient& gradient) {
  assert(batch.scores.rows == batch.labels.size() && batch.scores.rows >= 1);
  assert(batch.scores_per_class == prototypes_per_class_ && batch.features.cols == batch.head.cols);
  if (gradient.scores.data != nullptr) {
    std::fill_n(gradient.scores.data, gradient.scores.size(), 0.0F);
    std::fill_n(gradient.head.data, gradient.head.size(), 0.0F);
  }
  const double samples = static_cast<double>(batch.scores.rows);
  double sum = 0.0;
  for (std::size_t n = 0; n < batch.scores.rows; ++n) {
    FindLimit(batch, n);
    const double shortfall = options_.margin - limit_.radius;
    // Not max(0, .): NaN must reach the caller, who reports it.
    if (shortfall <= 0.0) continue;
    sum += shortfall;
    if (gradient.scores.data != nullptr) AddGradient(n, -1.0 / samples, gradient);
  }
  return sum / samples;
}

}  // namespace lipserve::trainer
