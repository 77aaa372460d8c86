// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/nadam.h"

#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_format.h"
#include "trainer/optimizers/integer_power.h"

namespace lipserve::trainer {
namespace {

struct NAdamFactors {
  float gradient_rate;  // of g and of m, learning rate and momentum correction included
  float moment_rate;
  float blend1;      // 1 - beta1
  float blend2;      // 1 - beta2
  float correction;  // 1 / (1 - beta2^t)
  float epsilon;
};

void Update(const NAdamFactors& factors, std::size_t count, const float* __restrict gradient,
            float* __restrict first, float* __restrict second, float* __restrict value) {
  for (std::size_t i = 0; i < count; ++i) {
    const float g = gradient[i];
    const float m = first[i] + factors.blend1 * (g - first[i]);
    const float v = second[i] + factors.blend2 * (g * g - second[i]);
    first[i] = m;
    second[i] = v;
    value[i] -= (factors.gradient_rate * g + factors.moment_rate * m) /
                (std::sqrt(v * factors.correction) + factors.epsilon);
  }
}

double Momentum(double beta1, std::int64_t step) {
  return beta1 * (1.0 - 0.5 * std::pow(0.96, 0.004 * static_cast<double>(step)));
}

}  // namespace

Nadam::Nadam(const AdamOptions& options, ParameterGroup group)
    : UpdateRule(std::move(group)), options_(options) {
  AddStates("nadam", "first_moment");
  second_moments_ = AddStates("nadam", "second_moment");
  states_.push_back({"nadam.momentum_product", {1.0F}});
}

std::string Nadam::description() const {
  return absl::StrFormat("Nadam(learning_rate=%g, beta1=%g, beta2=%g, epsilon=%g)",
                         options_.learning_rate, options_.beta1, options_.beta2, options_.epsilon);
}

void Nadam::Step(std::int64_t step, double learning_rate_factor) {
  float& product_state = states_.back().values[0];
  const double momentum = Momentum(options_.beta1, step);
  const double next_momentum = Momentum(options_.beta1, step + 1);
  product_state = static_cast<float>(static_cast<double>(product_state) * momentum);
  const double product = static_cast<double>(product_state);
  const double rate = learning_rate_factor * options_.learning_rate;
  const NAdamFactors factors{
      static_cast<float>(rate * (1.0 - momentum) / (1.0 - product)),
      static_cast<float>(rate * next_momentum / (1.0 - product * next_momentum)),
      static_cast<float>(1.0 - options_.beta1),
      static_cast<float>(1.0 - options_.beta2),
      static_cast<float>(1.0 / (1.0 - IntegerPower(options_.beta2, step))),
      static_cast<float>(options_.epsilon)};
  for (std::size_t i = 0; i < group_.parameters.size(); ++i) {
    Parameter& parameter = *group_.parameters[i];
    Update(factors, parameter.values.size(), parameter.gradient.data(), states_[i].values.data(),
           states_[second_moments_ + i].values.data(), parameter.values.data());
  }
}

}  // namespace lipserve::trainer
