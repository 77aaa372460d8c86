// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/optimizer.h"

#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "model/status_macros.h"
#include "trainer/optimizers/adam.h"

namespace lipserve::trainer {
namespace {

absl::StatusOr<double> DecayOr(const char* field, double value, double value_of_zero) {
  if (value >= 0.0 && value < 1.0) return value == 0.0 ? value_of_zero : value;
  return absl::InvalidArgumentError(
      absl::StrFormat("optimizer.adam.%s: expected a number in [0, 1), where 0 takes %g, got %g",
                      field, value_of_zero, value));
}

absl::StatusOr<AdamOptions> ReadAdamSpec(const v1::AdamSpec& spec) {
  AdamOptions options;
  if (!(spec.learning_rate() > 0.0) || !std::isfinite(spec.learning_rate())) {
    return absl::InvalidArgumentError(
        absl::StrFormat("optimizer.adam.learning_rate: expected a positive finite number, got %g",
                        spec.learning_rate()));
  }
  options.learning_rate = spec.learning_rate();
  LIPSERVE_ASSIGN_OR_RETURN(options.beta1, DecayOr("beta1", spec.beta1(), options.beta1));
  LIPSERVE_ASSIGN_OR_RETURN(options.beta2, DecayOr("beta2", spec.beta2(), options.beta2));
  if (!(spec.epsilon() >= 0.0) || !std::isfinite(spec.epsilon())) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "optimizer.adam.epsilon: expected a finite number that is not negative, where 0 takes %g, "
        "got %g",
        options.epsilon, spec.epsilon()));
  }
  if (spec.epsilon() > 0.0) options.epsilon = spec.epsilon();
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Optimizer>> MakeOptimizer(const v1::OptimizerSpec& spec,
                                                         std::vector<Parameter*> parameters,
                                                         const std::vector<std::string>& names) {
  if (parameters.size() != names.size()) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "optimizer: expected one name per parameter, got %d names for %d parameters", names.size(),
        parameters.size()));
  }
  switch (spec.kind_case()) {
    case v1::OptimizerSpec::kAdam: {
      LIPSERVE_ASSIGN_OR_RETURN(const AdamOptions options, ReadAdamSpec(spec.adam()));
      return std::make_unique<Adam>(options, std::move(parameters), names);
    }
    case v1::OptimizerSpec::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("optimizer: expected adam, got none");
}

}  // namespace lipserve::trainer
