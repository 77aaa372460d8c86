// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/cross_entropy_losses.h"

#include <cstddef>

#include "absl/strings/str_format.h"
#include "trainer/losses/softmax_excess.h"

namespace lipserve::trainer {
TauCrossEntropyLoss::TauCrossEntropyLoss(double tau)
    : PairwiseLoss(MarginKind::kScores, /*needs_distances=*/false), tau_(tau) {
  parameters_ = {{"tau", &tau_, kSmallestParameter, kLargestParameter}};
}

std::string TauCrossEntropyLoss::description() const {
  return absl::StrFormat("TauCrossEntropy(tau=%g)", tau_);
}

double TauCrossEntropyLoss::SampleLoss(const Sample& sample) const {
  const std::span<double> z = sample.margin_gradient;
  for (std::size_t k = 0; k < z.size(); ++k) z[k] = -tau_ * sample.margins[k];
  const double loss = CrossEntropyOfExcess(z) / tau_;
  for (double& slope : z) slope = -slope;
  return loss;
}

OffsetCrossEntropyLoss::OffsetCrossEntropyLoss(const OffsetCrossEntropyOptions& options)
    : PairwiseLoss(options.kind, /*needs_distances=*/false), options_(options) {
  parameters_ = {{"offset", &options_.offset, -kLargestParameter, kLargestParameter},
                 {"temperature", &options_.temperature, kSmallestParameter, kLargestParameter}};
}

std::string OffsetCrossEntropyLoss::description() const {
  return absl::StrFormat("OffsetCrossEntropy(offset=%g, temperature=%g, %s)", options_.offset,
                         options_.temperature,
                         options_.kind == MarginKind::kCertified ? "certified margins" : "scores");
}

double OffsetCrossEntropyLoss::SampleLoss(const Sample& sample) const {
  const std::span<double> z = sample.margin_gradient;
  for (std::size_t k = 0; k < z.size(); ++k) {
    z[k] = (options_.offset - sample.margins[k]) / options_.temperature;
  }
  const double loss = options_.temperature * CrossEntropyOfExcess(z);
  for (double& slope : z) slope = -slope;
  return loss;
}

}  // namespace lipserve::trainer
