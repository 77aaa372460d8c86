// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/pairwise_loss.h"

#include <algorithm>
#include <cassert>

namespace lipserve::trainer {

void PairwiseLoss::ReadSample(const ScoredBatch& batch, std::size_t i) {
  const std::span<const float> f = batch.scores.row(i);
  const auto label = static_cast<std::size_t>(batch.labels[i]);
  margins_.clear();
  distances_.clear();
  if (f.size() == 1) {
    margins_.push_back((label == 0 ? 1.0 : -1.0) * static_cast<double>(f[0]));
    if (uses_distances_) distances_.push_back(pairs_.row(0)[1]);
  } else {
    for (std::size_t j = 0; j < f.size(); ++j) {
      if (j == label) continue;
      margins_.push_back(static_cast<double>(f[label]) - static_cast<double>(f[j]));
      if (uses_distances_) distances_.push_back(pairs_.row(label)[j]);
    }
  }
  margin_gradient_.assign(margins_.size(), 0.0);
  distance_gradient_.assign(distances_.size(), 0.0);
}

void PairwiseLoss::DivideByDistances() {
  for (std::size_t k = 0; k < margins_.size(); ++k) margins_[k] /= distances_[k];
}

void PairwiseLoss::BackwardThroughDivision() {
  for (std::size_t k = 0; k < margins_.size(); ++k) {
    margin_gradient_[k] /= distances_[k];
    distance_gradient_[k] -= margin_gradient_[k] * margins_[k];
  }
}

void PairwiseLoss::WriteGradient(const ScoredBatch& batch, std::size_t i,
                                 const LossGradient& gradient) {
  const double share = 1.0 / static_cast<double>(batch.scores.rows);
  const auto label = static_cast<std::size_t>(batch.labels[i]);
  const std::span<float> out = gradient.scores.row(i);
  if (out.size() == 1) {
    const double sign = label == 0 ? 1.0 : -1.0;
    out[0] = static_cast<float>(share * sign * margin_gradient_[0]);
    if (uses_distances_) pairs_.gradient_row(0)[1] += share * distance_gradient_[0];
    return;
  }
  double own = 0.0;
  for (std::size_t j = 0, k = 0; j < out.size(); ++j) {
    if (j == label) continue;
    own += margin_gradient_[k];
    out[j] = static_cast<float>(-share * margin_gradient_[k]);
    if (uses_distances_) pairs_.gradient_row(label)[j] += share * distance_gradient_[k];
    ++k;
  }
  out[label] = static_cast<float>(share * own);
}

double PairwiseLoss::Evaluate(const ScoredBatch& batch, const LossGradient& gradient) {
  assert(batch.scores.rows == batch.labels.size() && batch.scores.rows >= 1);
  if (uses_distances_) {
    assert(batch.head.rows == batch.scores.cols);
    pairs_.Compute(batch.head);
  }
  double sum = 0.0;
  for (std::size_t i = 0; i < batch.scores.rows; ++i) {
    ReadSample(batch, i);
    if (kind_ == MarginKind::kCertified) DivideByDistances();
    sum += SampleLoss({margins_, distances_, margin_gradient_, distance_gradient_});
    if (gradient.scores.data == nullptr) continue;
    if (kind_ == MarginKind::kCertified) BackwardThroughDivision();
    WriteGradient(batch, i, gradient);
  }
  if (uses_distances_ && gradient.head.data != nullptr) pairs_.WriteGradient(gradient.head);
  return sum / static_cast<double>(batch.scores.rows);
}

}  // namespace lipserve::trainer
