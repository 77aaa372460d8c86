// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/soft_hkr_loss.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"

namespace lipserve::trainer {
namespace {

constexpr double kSmallestMean = 0.005;
constexpr double kLargestMean = 1000.0;
constexpr double kLowestTemperature = 0.005;
constexpr double kHighestTemperature = 250.0;

// Softmax of temperature * f over all classes but `label`, whose weight becomes 0.
void SoftmaxOfOthers(std::span<const float> f, std::size_t label, double temperature,
                     std::span<double> weights) {
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t c = 0; c < f.size(); ++c) {
    if (c != label) largest = std::max(largest, static_cast<double>(f[c]));
  }
  double sum = 0.0;
  for (std::size_t c = 0; c < f.size(); ++c) {
    weights[c] = c == label ? 0.0 : std::exp(temperature * (static_cast<double>(f[c]) - largest));
    sum += weights[c];
  }
  for (double& weight : weights) weight /= sum;
}

}  // namespace

SoftHkrLoss::SoftHkrLoss(const SoftHkrOptions& options) : options_(options) {
  states_.push_back({"mean_absolute_score", {static_cast<float>(options.margin.value)}});
  parameters_ = {options_.alpha.AsParameter(),
                 options_.margin.AsParameter(),
                 {"temperature", &options_.temperature, std::numeric_limits<double>::min(),
                  std::numeric_limits<double>::max()}};
}

std::string SoftHkrLoss::description() const {
  return absl::StrFormat("SoftHKR(%s, %s, temperature=%g, mean_decay=%g)",
                         options_.alpha.ToString(), options_.margin.ToString(),
                         options_.temperature, options_.mean_decay);
}

void SoftHkrLoss::Observe(ConstMatrixView scores) {
  double sum = 0.0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    sum += std::abs(static_cast<double>(scores.data[i]));
  }
  const double mean = sum / static_cast<double>(scores.size());
  float& state = states_[0].values[0];
  const double next =
      options_.mean_decay * static_cast<double>(state) + (1.0 - options_.mean_decay) * mean;
  state = static_cast<float>(std::clamp(next, kSmallestMean, kLargestMean));
}

double SoftHkrLoss::softmax_temperature() const {
  const double mean = static_cast<double>(states_[0].values[0]);
  const double margin = options_.margin.value;
  return std::clamp(options_.temperature * margin / std::max(mean, margin), kLowestTemperature,
                    kHighestTemperature);
}

double SoftHkrLoss::SampleLoss(std::span<const float> f, std::size_t label,
                               std::span<double> slopes) {
  const double temperature = softmax_temperature();
  const double bend = options_.margin.bend();
  const double kr = options_.alpha.kr_weight();
  const double hinge = options_.alpha.hinge_weight();
  SoftmaxOfOthers(f, label, temperature, weights_);
  double others = 0.0;  // sum of w_c (kr f_c + hinge relu(b + f_c))
  for (std::size_t c = 0; c < f.size(); ++c) {
    if (c == label) continue;
    const double score = static_cast<double>(f[c]);
    // slopes[c] holds the term of c until the sum over them is known.
    slopes[c] = kr * score + (bend + score <= 0.0 ? 0.0 : hinge * (bend + score));
    others += weights_[c] * slopes[c];
  }
  for (std::size_t c = 0; c < f.size(); ++c) {
    if (c == label) continue;
    const double slope = kr + (bend + static_cast<double>(f[c]) > 0.0 ? hinge : 0.0);
    slopes[c] = weights_[c] * (slope + temperature * (slopes[c] - others));
  }
  const double own = static_cast<double>(f[label]);
  slopes[label] = -kr - (own < bend ? hinge : 0.0);
  return others - kr * own + (bend - own <= 0.0 ? 0.0 : hinge * (bend - own));
}

double SoftHkrLoss::Evaluate(const ScoredBatch& batch, const LossGradient& gradient) {
  const ConstMatrixView scores = batch.scores;
  assert(scores.cols >= 2 && scores.rows == batch.labels.size() && scores.rows >= 1);
  weights_.resize(scores.cols);
  slopes_.resize(scores.cols);
  const double share = 1.0 / static_cast<double>(scores.rows);
  double sum = 0.0;
  for (std::size_t i = 0; i < scores.rows; ++i) {
    sum += SampleLoss(scores.row(i), static_cast<std::size_t>(batch.labels[i]), slopes_);
    if (gradient.scores.data == nullptr) continue;
    const std::span<float> out = gradient.scores.row(i);
    for (std::size_t c = 0; c < out.size(); ++c) out[c] = static_cast<float>(share * slopes_[c]);
  }
  return share * sum;
}

}  // namespace lipserve::trainer
