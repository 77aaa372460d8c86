// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/binary_losses.h"

#include <array>
#include <cassert>
#include <cstddef>

namespace lipserve::trainer {
namespace {

double Sign(std::int32_t label) { return label == 0 ? 1.0 : -1.0; }

// How much one sample of each label adds to KR per unit of its score: +1/n of label 0, -1/n of
// label 1, 0 for a class that the batch lacks.
std::array<double, 2> KrWeights(std::span<const std::int32_t> labels) {
  std::array<double, 2> counts{};
  for (const std::int32_t label : labels) {
    assert(label == 0 || label == 1);
    counts[static_cast<std::size_t>(label)] += 1.0;
  }
  return {counts[0] > 0.0 ? 1.0 / counts[0] : 0.0, counts[1] > 0.0 ? -1.0 / counts[1] : 0.0};
}

double KantorovichRubinstein(ConstMatrixView scores, std::span<const std::int32_t> labels) {
  const std::array<double, 2> weights = KrWeights(labels);
  double sum = 0.0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    sum += weights[static_cast<std::size_t>(labels[i])] * static_cast<double>(scores.data[i]);
  }
  return sum;
}

double HingeMargin(ConstMatrixView scores, std::span<const std::int32_t> labels, double margin) {
  double sum = 0.0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double shortfall = margin - Sign(labels[i]) * static_cast<double>(scores.data[i]);
    // Not max(0, .): NaN must reach the caller, who reports it.
    sum += shortfall <= 0.0 ? 0.0 : shortfall;
  }
  return sum / static_cast<double>(labels.size());
}

}  // namespace

BinaryHkrLoss::BinaryHkrLoss(const HkrOptions& options) : options_(options) {
  parameters_ = options_.Parameters();
}

double BinaryHkrLoss::Evaluate(const ScoredBatch& batch, const LossGradient& gradient) {
  const ConstMatrixView scores = batch.scores;
  const std::span<const std::int32_t> labels = batch.labels;
  assert(scores.cols == 1 && scores.rows == labels.size() && !labels.empty());
  const double bend = options_.margin.bend();
  double loss = 0.0;
  if (options_.has_kr()) loss -= options_.kr_weight() * KantorovichRubinstein(scores, labels);
  if (options_.has_hinge()) loss += options_.hinge_weight() * HingeMargin(scores, labels, bend);
  if (gradient.scores.data == nullptr) return loss;
  const std::array<double, 2> kr_weights = KrWeights(labels);
  const double kr_weight = options_.kr_weight();
  const double hinge_slope = options_.hinge_weight() / static_cast<double>(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double sign = Sign(labels[i]);
    const bool short_of_margin = sign * static_cast<double>(scores.data[i]) < bend;
    const double hinge = short_of_margin ? -sign * hinge_slope : 0.0;
    const double kr = kr_weights[static_cast<std::size_t>(labels[i])];
    gradient.scores.data[i] = static_cast<float>(hinge - kr_weight * kr);
  }
  return loss;
}

std::vector<Metric> BinaryHkrLoss::Metrics(ConstMatrixView scores,
                                           std::span<const std::int32_t> labels) const {
  assert(scores.cols == 1 && scores.rows == labels.size() && !labels.empty());
  std::vector<Metric> metrics;
  if (options_.has_kr()) metrics.push_back({"KR", KantorovichRubinstein(scores, labels)});
  if (options_.has_hinge()) {
    metrics.push_back({"HingeMargin", HingeMargin(scores, labels, options_.margin.bend())});
  }
  metrics.push_back({"accuracy", Accuracy(scores, labels)});
  return metrics;
}

}  // namespace lipserve::trainer
