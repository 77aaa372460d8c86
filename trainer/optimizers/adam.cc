// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/adam.h"

#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lipserve::trainer {
namespace {

struct StepFactors {
  float rate;    // learning rate with both bias corrections
  float blend1;  // 1 - beta1
  float blend2;  // 1 - beta2
  float epsilon;
};

// By squaring and not by std::pow, whose last digit depends on the C library.
double Power(double base, std::int64_t exponent) {
  double power = 1.0;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) power *= base;
    base *= base;
  }
  return power;
}

// One pass over all four arrays: the step is bound by memory, not by arithmetic.
void Update(const StepFactors& factors, std::size_t count, const float* __restrict gradient,
            float* __restrict first, float* __restrict second, float* __restrict value) {
  for (std::size_t i = 0; i < count; ++i) {
    const float g = gradient[i];
    const float m = first[i] + factors.blend1 * (g - first[i]);
    const float v = second[i] + factors.blend2 * (g * g - second[i]);
    first[i] = m;
    second[i] = v;
    value[i] -= factors.rate * m / (std::sqrt(v) + factors.epsilon);
  }
}

}  // namespace

Adam::Adam(const AdamOptions& options, std::vector<Parameter*> parameters,
           const std::vector<std::string>& names)
    : options_(options), parameters_(std::move(parameters)) {
  assert(parameters_.size() == names.size());
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::size_t size = parameters_[i]->values.size();
    states_.push_back({absl::StrCat("adam.", names[i], ".first_moment"), std::vector<float>(size)});
    states_.push_back(
        {absl::StrCat("adam.", names[i], ".second_moment"), std::vector<float>(size)});
  }
}

std::string Adam::description() const {
  return absl::StrFormat("Adam(learning_rate=%g, beta1=%g, beta2=%g, epsilon=%g)",
                         options_.learning_rate, options_.beta1, options_.beta2, options_.epsilon);
}

void Adam::Step() {
  ++steps;
  const double correction1 = 1.0 - Power(options_.beta1, steps);
  const double correction2 = 1.0 - Power(options_.beta2, steps);
  const StepFactors factors{
      static_cast<float>(options_.learning_rate * std::sqrt(correction2) / correction1),
      static_cast<float>(1.0 - options_.beta1), static_cast<float>(1.0 - options_.beta2),
      static_cast<float>(options_.epsilon)};
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& parameter = *parameters_[i];
    Update(factors, parameter.values.size(), parameter.gradient.data(),
           states_[2 * i].values.data(), states_[2 * i + 1].values.data(), parameter.values.data());
  }
}

}  // namespace lipserve::trainer
