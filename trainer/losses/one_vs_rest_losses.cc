// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/one_vs_rest_losses.h"

#include <cassert>
#include <cstddef>

namespace lipserve::trainer {
namespace {

// What a score of class c adds to KR per unit, before the mean over classes: `own` where the
// sample's label is c, `other` elsewhere.
struct KrWeight {
  double own = 0.0;
  double other = 0.0;
};

std::vector<KrWeight> KrWeights(std::span<const std::int32_t> labels, std::size_t classes) {
  std::vector<double> counts(classes, 0.0);
  for (const std::int32_t label : labels) counts[static_cast<std::size_t>(label)] += 1.0;
  std::vector<KrWeight> weights(classes);
  for (std::size_t c = 0; c < classes; ++c) {
    const double others = static_cast<double>(labels.size()) - counts[c];
    if (counts[c] > 0.0) weights[c].own = 1.0 / counts[c];
    if (others > 0.0) weights[c].other = -1.0 / others;
  }
  return weights;
}

double OneVsRestKantorovichRubinstein(ConstMatrixView scores,
                                      std::span<const std::int32_t> labels) {
  const std::vector<KrWeight> weights = KrWeights(labels, scores.cols);
  double sum = 0.0;
  for (std::size_t i = 0; i < scores.rows; ++i) {
    const std::span<const float> f = scores.row(i);
    const auto label = static_cast<std::size_t>(labels[i]);
    for (std::size_t c = 0; c < f.size(); ++c) {
      sum += (c == label ? weights[c].own : weights[c].other) * static_cast<double>(f[c]);
    }
  }
  return sum / static_cast<double>(scores.cols);
}

// The hinge of one score and its slope, both before the mean.
struct Hinge {
  double value = 0.0;
  double slope = 0.0;
};

Hinge HingeOf(double score, bool own, std::size_t classes, double bend) {
  const double sign = own ? 1.0 : -1.0;
  const double weight = own ? static_cast<double>(classes - 1) : 1.0;
  const double shortfall = bend - sign * score;
  // Not max(0, .): NaN must reach the caller, who reports it.
  if (shortfall <= 0.0) return {};
  return {weight * shortfall, -sign * weight};
}

double MeanHinge(ConstMatrixView scores, std::span<const std::int32_t> labels, double bend) {
  double sum = 0.0;
  for (std::size_t i = 0; i < scores.rows; ++i) {
    const std::span<const float> f = scores.row(i);
    const auto label = static_cast<std::size_t>(labels[i]);
    for (std::size_t c = 0; c < f.size(); ++c) {
      sum += HingeOf(static_cast<double>(f[c]), c == label, f.size(), bend).value;
    }
  }
  return sum / static_cast<double>(scores.size());
}

}  // namespace

OneVsRestHkrLoss::OneVsRestHkrLoss(const HkrOptions& options) : options_(options) {
  parameters_ = options_.Parameters();
}

double OneVsRestHkrLoss::Evaluate(const ScoredBatch& batch, const LossGradient& gradient) {
  const ConstMatrixView scores = batch.scores;
  assert(scores.cols >= 2 && scores.rows == batch.labels.size() && scores.rows >= 1);
  const double bend = options_.margin.bend();
  double loss = 0.0;
  if (options_.has_kr()) {
    loss -= options_.kr_weight() * OneVsRestKantorovichRubinstein(scores, batch.labels);
  }
  if (options_.has_hinge()) {
    loss += options_.hinge_weight() * MeanHinge(scores, batch.labels, bend);
  }
  if (gradient.scores.data == nullptr) return loss;
  const std::vector<KrWeight> kr_weights = KrWeights(batch.labels, scores.cols);
  const double kr_slope = options_.kr_weight() / static_cast<double>(scores.cols);
  const double hinge_slope = options_.hinge_weight() / static_cast<double>(scores.size());
  for (std::size_t i = 0; i < scores.rows; ++i) {
    const std::span<const float> f = scores.row(i);
    const std::span<float> out = gradient.scores.row(i);
    const auto label = static_cast<std::size_t>(batch.labels[i]);
    for (std::size_t c = 0; c < f.size(); ++c) {
      const double kr = c == label ? kr_weights[c].own : kr_weights[c].other;
      const double hinge = HingeOf(static_cast<double>(f[c]), c == label, f.size(), bend).slope;
      out[c] = static_cast<float>(hinge_slope * hinge - kr_slope * kr);
    }
  }
  return loss;
}

std::vector<Metric> OneVsRestHkrLoss::Metrics(ConstMatrixView scores,
                                              std::span<const std::int32_t> labels) const {
  std::vector<Metric> metrics;
  if (options_.has_kr()) {
    metrics.push_back({"MulticlassKR", OneVsRestKantorovichRubinstein(scores, labels)});
  }
  if (options_.has_hinge()) {
    metrics.push_back({"MulticlassHinge", MeanHinge(scores, labels, options_.margin.bend())});
  }
  metrics.push_back({"accuracy", Accuracy(scores, labels)});
  return metrics;
}

}  // namespace lipserve::trainer
