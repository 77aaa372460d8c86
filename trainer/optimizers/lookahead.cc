// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/lookahead.h"

#include <cstddef>

#include "absl/strings/str_format.h"

namespace lipserve::trainer {

Lookahead::Lookahead(const LookaheadOptions& options, const ParameterGroup& group)
    : options_(options), parameters_(group.parameters) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    states_.push_back({"lookahead." + group.names[i] + ".slow", parameters_[i]->values});
  }
}

std::string Lookahead::description() const {
  return absl::StrFormat("Lookahead(period=%d, step=%g)", options_.period, options_.step);
}

bool Lookahead::Update(std::int64_t step) {
  if (step % options_.period != 0) return false;
  const float share = static_cast<float>(options_.step);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    std::vector<float>& slow = states_[i].values;
    std::vector<float>& fast = parameters_[i]->values;
    for (std::size_t k = 0; k < slow.size(); ++k) {
      slow[k] += share * (fast[k] - slow[k]);
      fast[k] = slow[k];
    }
  }
  return true;
}

}  // namespace lipserve::trainer
