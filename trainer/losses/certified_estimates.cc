// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/certified_estimates.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <limits>

#include "absl/strings/str_cat.h"
#include "trainer/losses/pair_distances.h"
#include "trainer/losses/prototype_pairs.h"

namespace lipserve::trainer {
namespace {

double SmallestMargin(std::span<const float> f, std::size_t label, const PairDistances& pairs) {
  if (f.size() == 1) {
    return (label == 0 ? 1.0 : -1.0) * static_cast<double>(f[0]) / pairs.row(0)[1];
  }
  double smallest = std::numeric_limits<double>::infinity();
  for (std::size_t j = 0; j < f.size(); ++j) {
    if (j == label) continue;
    const double difference = static_cast<double>(f[label]) - static_cast<double>(f[j]);
    smallest = std::min(smallest, difference / pairs.row(label)[j]);
  }
  return smallest;
}

std::vector<double> MarginsOfClasses(const ScoredBatch& batch) {
  PairDistances pairs;
  pairs.Compute(batch.head);
  std::vector<double> margins(batch.labels.size());
  for (std::size_t i = 0; i < margins.size(); ++i) {
    margins[i] =
        SmallestMargin(batch.scores.row(i), static_cast<std::size_t>(batch.labels[i]), pairs);
  }
  return margins;
}

std::vector<double> MarginsOfPrototypes(const ScoredBatch& batch) {
  PrototypePairs pairs;
  std::vector<double> margins(batch.labels.size());
  for (std::size_t i = 0; i < margins.size(); ++i) {
    pairs.Find(batch, i, 1);
    margins[i] = pairs.pairs()[0].ratio;
  }
  return margins;
}

}  // namespace

std::string CertifiedEstimateName(double epsilon) {
  return absl::StrCat("certified_estimate@", epsilon);
}

std::vector<Metric> CertifiedEstimates(const ScoredBatch& batch, std::span<const double> epsilons) {
  std::vector<Metric> metrics;
  if (epsilons.empty()) return metrics;
  assert(batch.head.rows == batch.scores.cols && !batch.labels.empty());
  const std::vector<double> margins =
      batch.scores_per_class == 1 ? MarginsOfClasses(batch) : MarginsOfPrototypes(batch);
  for (const double epsilon : epsilons) {
    const auto certified = std::count_if(margins.begin(), margins.end(),
                                         [epsilon](double margin) { return margin >= epsilon; });
    metrics.push_back({CertifiedEstimateName(epsilon),
                       static_cast<double>(certified) / static_cast<double>(margins.size())});
  }
  return metrics;
}

}  // namespace lipserve::trainer
