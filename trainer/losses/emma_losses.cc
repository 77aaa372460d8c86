// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/emma_losses.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_format.h"
#include "trainer/losses/softmax_excess.h"

namespace lipserve::trainer {
namespace {

constexpr double kLeastShare = 0.01;

// e_j: the share of epsilon that the adversary is given against one class.
double ShareOfEpsilon(double difference, double reach) {
  if (reach <= 0.0) return 0.0;
  return std::clamp(difference / reach, kLeastShare, 1.0);
}

}  // namespace

EmmaLoss::EmmaLoss(double epsilon)
    : PairwiseLoss(MarginKind::kScores, /*needs_distances=*/true), epsilon_(epsilon) {
  parameters_ = {{"epsilon", &epsilon_, 0.0, kLargestParameter}};
}

std::string EmmaLoss::description() const { return absl::StrFormat("EMMA(epsilon=%g)", epsilon_); }

double EmmaLoss::SampleLoss(const Sample& sample) const {
  const std::span<double> z = sample.margin_gradient;
  for (std::size_t k = 0; k < z.size(); ++k) {
    const double reach = epsilon_ * sample.distances[k];
    const double share = ShareOfEpsilon(sample.margins[k], reach);
    z[k] = share * reach - sample.margins[k];
    sample.distance_gradient[k] = share * epsilon_;
  }
  const double loss = CrossEntropyOfExcess(z);
  for (std::size_t k = 0; k < z.size(); ++k) {
    sample.distance_gradient[k] *= z[k];
    z[k] = -z[k];
  }
  return loss;
}

LogitAnnealingLoss::LogitAnnealingLoss(const LogitAnnealingOptions& options)
    : PairwiseLoss(MarginKind::kScores, /*needs_distances=*/options.epsilon > 0.0),
      options_(options) {
  parameters_ = {{"offset", &options_.offset, -kLargestParameter, kLargestParameter},
                 {"temperature", &options_.temperature, kSmallestParameter, kLargestParameter},
                 {"power", &options_.power, 0.0, kLargestParameter}};
  if (UsesHead()) parameters_.push_back({"epsilon", &options_.epsilon, 0.0, kLargestParameter});
}

std::string LogitAnnealingLoss::description() const {
  return absl::StrFormat("LogitAnnealing(offset=%g, temperature=%g, power=%g, epsilon=%g)",
                         options_.offset, options_.temperature, options_.power, options_.epsilon);
}

double LogitAnnealingLoss::SampleLoss(const Sample& sample) const {
  const std::span<double> z = sample.margin_gradient;
  for (std::size_t k = 0; k < z.size(); ++k) {
    double excess = options_.offset - sample.margins[k];
    if (UsesHead()) {
      const double reach = options_.epsilon * sample.distances[k];
      const double share = ShareOfEpsilon(sample.margins[k], reach);
      excess += share * reach;
      sample.distance_gradient[k] = share * options_.epsilon;
    }
    z[k] = excess / options_.temperature;
  }
  const double cross_entropy = CrossEntropyOfExcess(z);
  const double p = std::exp(-cross_entropy);
  const double one_minus_p = -std::expm1(-cross_entropy);
  const double annealing = std::pow(one_minus_p, options_.power);
  // d/dCE of (1 - p)^power CE. As p tends to 1, CE / (1 - p) does so too, for every power.
  const double ratio = one_minus_p > 0.0 ? cross_entropy / one_minus_p : 1.0;
  const double slope = annealing * (1.0 + options_.power * p * ratio);
  for (std::size_t k = 0; k < z.size(); ++k) {
    const double weight = slope * z[k];
    if (UsesHead()) sample.distance_gradient[k] *= weight;
    z[k] = -weight;
  }
  return options_.temperature * annealing * cross_entropy;
}

}  // namespace lipserve::trainer
