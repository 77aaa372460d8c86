// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/adam.h"

#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_format.h"
#include "trainer/optimizers/integer_power.h"

namespace lipserve::trainer {
namespace {

struct AdamFactors {
  float rate;    // learning rate with both bias corrections
  float blend1;  // 1 - beta1
  float blend2;  // 1 - beta2
  float epsilon;
};

// One pass over all four arrays: the step is bound by memory, not by arithmetic.
void Update(const AdamFactors& factors, std::size_t count, const float* __restrict gradient,
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

Adam::Adam(const AdamOptions& options, ParameterGroup group)
    : UpdateRule(std::move(group)), options_(options) {
  AddStates("adam", "first_moment");
  second_moments_ = AddStates("adam", "second_moment");
}

std::string Adam::description() const {
  return absl::StrFormat("Adam(learning_rate=%g, beta1=%g, beta2=%g, epsilon=%g)",
                         options_.learning_rate, options_.beta1, options_.beta2, options_.epsilon);
}

void Adam::Step(std::int64_t step, double learning_rate_factor) {
  const double correction1 = 1.0 - IntegerPower(options_.beta1, step);
  const double correction2 = 1.0 - IntegerPower(options_.beta2, step);
  const double rate = learning_rate_factor * options_.learning_rate;
  const AdamFactors factors{static_cast<float>(rate * std::sqrt(correction2) / correction1),
                            static_cast<float>(1.0 - options_.beta1),
                            static_cast<float>(1.0 - options_.beta2),
                            static_cast<float>(options_.epsilon)};
  for (std::size_t i = 0; i < group_.parameters.size(); ++i) {
    Parameter& parameter = *group_.parameters[i];
    Update(factors, parameter.values.size(), parameter.gradient.data(), states_[i].values.data(),
           states_[second_moments_ + i].values.data(), parameter.values.data());
  }
}

}  // namespace lipserve::trainer
