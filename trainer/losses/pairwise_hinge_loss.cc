// SPDX-License-Identifier: Apache-2.0
#include "trainer/losses/pairwise_hinge_loss.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "absl/strings/str_format.h"

namespace lipserve::trainer {

PairwiseHingeLoss::PairwiseHingeLoss(const PairwiseHingeOptions& options)
    : PairwiseLoss(options.kind, /*needs_distances=*/false), options_(options) {
  parameters_ = {{options_.margin_name, &options_.margin, std::numeric_limits<double>::min(),
                  std::numeric_limits<double>::max()}};
}

std::string PairwiseHingeLoss::description() const {
  const char* const kind = options_.kind == MarginKind::kCertified ? ", certified margins" : "";
  return absl::StrFormat("%s(%s=%g%s)", options_.name, options_.margin_name, options_.margin, kind);
}

double PairwiseHingeLoss::SampleLoss(const Sample& sample) const {
  const std::size_t others = sample.margins.size();
  std::size_t first = 0;
  std::size_t end = others;
  if (options_.over == HingeOver::kWorst) {
    first = static_cast<std::size_t>(
        std::min_element(sample.margins.begin(), sample.margins.end()) - sample.margins.begin());
    end = first + 1;
  }
  const double weight =
      options_.over == HingeOver::kMeanOverClasses ? 1.0 / static_cast<double>(others + 1) : 1.0;
  double sum = 0.0;
  for (std::size_t k = first; k < end; ++k) {
    const double shortfall = options_.margin - sample.margins[k];
    // Not max(0, .): NaN must reach the caller, who reports it.
    if (shortfall <= 0.0) continue;
    sum += weight * shortfall;
    sample.margin_gradient[k] = -weight;
  }
  return sum;
}

}  // namespace lipserve::trainer
