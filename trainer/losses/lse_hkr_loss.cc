// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/lse_hkr_loss.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "absl/strings/str_format.h"

namespace lipserve::trainer {
namespace {

// r of the header for scores scaled by `temperature`; writes d r / d (scaled f) to `weights`.
double SmoothMaximumOfOthers(std::span<const float> f, std::size_t label, double temperature,
                             double width, std::span<double> weights) {
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t c = 0; c < f.size(); ++c) {
    if (c != label) largest = std::max(largest, temperature * static_cast<double>(f[c]));
  }
  // With one other class the sum is one exponential of 0 whatever t is.
  const double t = f.size() == 2 ? 1.0 : std::log(static_cast<double>(f.size() - 1)) / width;
  double sum = 0.0;
  for (std::size_t c = 0; c < f.size(); ++c) {
    weights[c] =
        c == label ? 0.0 : std::exp(t * (temperature * static_cast<double>(f[c]) - largest));
    sum += weights[c];
  }
  for (double& weight : weights) weight /= sum;
  return largest + std::log(sum) / t;
}

}  // namespace

LseHkrLoss::LseHkrLoss(const LseHkrOptions& options) : options_(options) {
  parameters_ = {options_.alpha.AsParameter(),
                 options_.margin.AsParameter(),
                 {"temperature", &options_.temperature, kSmallestParameter, kLargestParameter},
                 {"penalty", &options_.penalty, kSmallestParameter, kLargestParameter}};
}

std::string LseHkrLoss::description() const {
  return absl::StrFormat("LseHKR(%s, %s, temperature=%g, penalty=%g)", options_.alpha.ToString(),
                         options_.margin.ToString(), options_.temperature, options_.penalty);
}

double LseHkrLoss::Evaluate(const ScoredBatch& batch, const LossGradient& gradient) {
  const ConstMatrixView scores = batch.scores;
  assert(scores.cols >= 2 && scores.rows == batch.labels.size() && scores.rows >= 1);
  weights_.resize(scores.cols);
  const double bend = options_.margin.bend();
  const double kr = options_.alpha.kr_weight();
  const double hinge = options_.alpha.hinge_weight();
  const double share = 1.0 / static_cast<double>(scores.rows);
  double sum = 0.0;
  for (std::size_t i = 0; i < scores.rows; ++i) {
    const auto label = static_cast<std::size_t>(batch.labels[i]);
    const double own = options_.temperature * static_cast<double>(scores.row(i)[label]);
    const double smooth_maximum = SmoothMaximumOfOthers(scores.row(i), label, options_.temperature,
                                                        options_.penalty * bend, weights_);
    sum += kr * (smooth_maximum - own) + (bend - own <= 0.0 ? 0.0 : hinge * (bend - own)) +
           (bend + smooth_maximum <= 0.0 ? 0.0 : hinge * (bend + smooth_maximum));
    if (gradient.scores.data == nullptr) continue;
    const double scale = share * options_.temperature;
    const double smooth_maximum_slope = kr + (bend + smooth_maximum > 0.0 ? hinge : 0.0);
    const std::span<float> out = gradient.scores.row(i);
    for (std::size_t c = 0; c < out.size(); ++c) {
      out[c] = static_cast<float>(scale * smooth_maximum_slope * weights_[c]);
    }
    out[label] = static_cast<float>(-scale * (kr + (own < bend ? hinge : 0.0)));
  }
  return share * sum;
}

}  // namespace lipserve::trainer
