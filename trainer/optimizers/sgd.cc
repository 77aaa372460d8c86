// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/sgd.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_format.h"

namespace lipserve::trainer {
namespace {

void UpdatePlain(float rate, std::size_t count, const float* __restrict gradient,
                 float* __restrict value) {
  for (std::size_t i = 0; i < count; ++i) value[i] -= rate * gradient[i];
}

// value moves by rate * (ahead * gradient + behind * velocity).
void UpdateWithMomentum(float rate, float momentum, float ahead, float behind, std::size_t count,
                        const float* __restrict gradient, float* __restrict velocity,
                        float* __restrict value) {
  for (std::size_t i = 0; i < count; ++i) {
    const float u = momentum * velocity[i] + gradient[i];
    velocity[i] = u;
    value[i] -= rate * (ahead * gradient[i] + behind * u);
  }
}

}  // namespace

Sgd::Sgd(const SgdOptions& options, ParameterGroup group)
    : UpdateRule(std::move(group)), options_(options) {
  if (options.momentum > 0.0) AddStates("sgd", "velocity");
}

std::string Sgd::description() const {
  return absl::StrFormat("SGD(learning_rate=%g, momentum=%g%s)", options_.learning_rate,
                         options_.momentum, options_.nesterov ? ", Nesterov" : "");
}

void Sgd::Step(std::int64_t /*step*/, double learning_rate_factor) {
  const float rate = static_cast<float>(learning_rate_factor * options_.learning_rate);
  const float momentum = static_cast<float>(options_.momentum);
  for (std::size_t i = 0; i < group_.parameters.size(); ++i) {
    Parameter& parameter = *group_.parameters[i];
    const std::size_t size = parameter.values.size();
    if (states_.empty()) {
      UpdatePlain(rate, size, parameter.gradient.data(), parameter.values.data());
    } else {
      UpdateWithMomentum(rate, momentum, options_.nesterov ? 1.0F : 0.0F,
                         options_.nesterov ? momentum : 1.0F, size, parameter.gradient.data(),
                         states_[i].values.data(), parameter.values.data());
    }
  }
}

}  // namespace lipserve::trainer
