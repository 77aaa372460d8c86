// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/weight_average.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace lipserve::trainer {

WeightAverage::WeightAverage(double decay, std::vector<Parameter*> parameters,
                             const std::vector<std::string>& names)
    : decay_(decay), parameters_(std::move(parameters)) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    states_.push_back({"average." + names[i], parameters_[i]->values});
  }
}

void WeightAverage::Update(std::int64_t step) {
  const double t = static_cast<double>(step);
  const float share = static_cast<float>(1.0 - std::min(decay_, (1.0 + t) / (10.0 + t)));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    std::vector<float>& average = states_[i].values;
    const std::vector<float>& weights = parameters_[i]->values;
    for (std::size_t k = 0; k < average.size(); ++k) {
      average[k] += share * (weights[k] - average[k]);
    }
  }
}

void WeightAverage::Swap() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    parameters_[i]->values.swap(states_[i].values);
  }
}

}  // namespace lipserve::trainer
