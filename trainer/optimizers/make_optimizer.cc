// SPDX-License-Identifier: Apache-2.0
#include "trainer/optimizers/make_optimizer.h"

#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "model/foundation/status_macros.h"
#include "trainer/optimizers/adam.h"
#include "trainer/optimizers/nadam.h"
#include "trainer/optimizers/orthogonal_descent.h"
#include "trainer/optimizers/sgd.h"

namespace lipserve::trainer {
namespace {

constexpr std::int64_t kRetractionPeriod = 4;

using RuleOrError = absl::StatusOr<std::unique_ptr<UpdateRule>>;

absl::Status Invalid(const std::string& field, const std::string& expected, double got) {
  return absl::InvalidArgumentError(
      absl::StrFormat("optimizer.%s: expected %s, got %g", field, expected, got));
}

absl::Status CheckLearningRate(const std::string& rule, double rate) {
  if (rate > 0.0 && std::isfinite(rate)) return absl::OkStatus();
  return Invalid(rule + ".learning_rate", "a positive finite number", rate);
}

absl::StatusOr<double> DecayOr(const std::string& field, double value, double value_of_zero) {
  if (value >= 0.0 && value < 1.0) return value == 0.0 ? value_of_zero : value;
  return Invalid(field, absl::StrFormat("a number in [0, 1), where 0 takes %g", value_of_zero),
                 value);
}

// Adam's and Nadam's fields are the same.
template <typename Spec>
absl::StatusOr<AdamOptions> ReadAdamFields(const std::string& rule, const Spec& spec) {
  AdamOptions options;
  LIPSERVE_RETURN_IF_ERROR(CheckLearningRate(rule, spec.learning_rate()));
  options.learning_rate = spec.learning_rate();
  LIPSERVE_ASSIGN_OR_RETURN(options.beta1, DecayOr(rule + ".beta1", spec.beta1(), options.beta1));
  LIPSERVE_ASSIGN_OR_RETURN(options.beta2, DecayOr(rule + ".beta2", spec.beta2(), options.beta2));
  if (!(spec.epsilon() >= 0.0) || !std::isfinite(spec.epsilon())) {
    return Invalid(
        rule + ".epsilon",
        absl::StrFormat("a finite number that is not negative, where 0 takes %g", options.epsilon),
        spec.epsilon());
  }
  if (spec.epsilon() > 0.0) options.epsilon = spec.epsilon();
  return options;
}

absl::StatusOr<SgdOptions> ReadSgd(const v1::SgdSpec& spec) {
  LIPSERVE_RETURN_IF_ERROR(CheckLearningRate("sgd", spec.learning_rate()));
  LIPSERVE_RETURN_IF_ERROR(DecayOr("sgd.momentum", spec.momentum(), 0.0).status());
  if (spec.nesterov() && spec.momentum() == 0.0) {
    return Invalid("sgd.momentum", "a positive number with nesterov: true", 0.0);
  }
  return SgdOptions{spec.learning_rate(), spec.momentum(), spec.nesterov()};
}

RuleOrError MakeRule(const v1::OptimizerSpec& spec, ParameterGroup group) {
  switch (spec.kind_case()) {
    case v1::OptimizerSpec::kAdam: {
      LIPSERVE_ASSIGN_OR_RETURN(const AdamOptions options, ReadAdamFields("adam", spec.adam()));
      return std::make_unique<Adam>(options, std::move(group));
    }
    case v1::OptimizerSpec::kNadam: {
      LIPSERVE_ASSIGN_OR_RETURN(const AdamOptions options, ReadAdamFields("nadam", spec.nadam()));
      return std::make_unique<Nadam>(options, std::move(group));
    }
    case v1::OptimizerSpec::kSgd: {
      LIPSERVE_ASSIGN_OR_RETURN(const SgdOptions options, ReadSgd(spec.sgd()));
      return std::make_unique<Sgd>(options, std::move(group));
    }
    case v1::OptimizerSpec::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("optimizer: expected one of adam, nadam, sgd, got none");
}

double LearningRate(const v1::OptimizerSpec& spec) {
  return spec.has_adam()    ? spec.adam().learning_rate()
         : spec.has_nadam() ? spec.nadam().learning_rate()
                            : spec.sgd().learning_rate();
}

absl::Status CheckStepLength(const v1::OrthogonalStepSpec& spec) {
  if (!(spec.step_length() > 0.0) || !std::isfinite(spec.step_length())) {
    return Invalid("orthogonal.step_length", "a finite positive number, or 0 for the learning rate",
                   spec.step_length());
  }
  if (spec.learning_rate() != 0.0) {
    return Invalid("orthogonal.learning_rate", "0 or none beside a step_length",
                   spec.learning_rate());
  }
  return absl::OkStatus();
}

RuleOrError MakeOrthogonalRule(const v1::OptimizerSpec& spec, ParameterGroup group) {
  const v1::OrthogonalStepSpec& orthogonal = spec.orthogonal();
  OrthogonalDescentOptions options;
  options.learning_rate = LearningRate(spec);
  if (orthogonal.learning_rate() != 0.0) {
    LIPSERVE_RETURN_IF_ERROR(CheckLearningRate("orthogonal", orthogonal.learning_rate()));
    options.learning_rate = orthogonal.learning_rate();
  }
  if (orthogonal.step_length() != 0.0) {
    LIPSERVE_RETURN_IF_ERROR(CheckStepLength(orthogonal));
    options.step_length = orthogonal.step_length();
  }
  LIPSERVE_ASSIGN_OR_RETURN(options.beta1,
                            DecayOr("orthogonal.beta1", orthogonal.beta1(), options.beta1));
  LIPSERVE_ASSIGN_OR_RETURN(options.beta2,
                            DecayOr("orthogonal.beta2", orthogonal.beta2(), options.beta2));
  if (orthogonal.retraction_period() < 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("optimizer.orthogonal.retraction_period: expected at least 1, or 0 for %d, "
                        "got %d",
                        kRetractionPeriod, orthogonal.retraction_period()));
  }
  options.retraction_period =
      orthogonal.retraction_period() == 0 ? kRetractionPeriod : orthogonal.retraction_period();
  return std::make_unique<OrthogonalDescent>(options, std::move(group));
}

// Those of `all` that are orthogonal matrices, or those that are not.
ParameterGroup Select(const ParameterGroup& all, bool orthogonal) {
  ParameterGroup selected;
  for (std::size_t i = 0; i < all.parameters.size(); ++i) {
    if ((all.parameters[i]->orthogonal_rows > 0) != orthogonal) continue;
    selected.parameters.push_back(all.parameters[i]);
    selected.names.push_back(all.names[i]);
  }
  return selected;
}

absl::StatusOr<LookaheadOptions> ReadLookahead(const v1::LookaheadSpec& spec) {
  LookaheadOptions options;
  if (spec.period() < 0) {
    return Invalid("lookahead.period", absl::StrFormat("at least 1, or 0 for %d", options.period),
                   static_cast<double>(spec.period()));
  }
  if (!(spec.step() >= 0.0 && spec.step() <= 1.0)) {
    return Invalid("lookahead.step",
                   absl::StrFormat("a number in (0, 1], or 0 for %g", options.step), spec.step());
  }
  if (spec.period() > 0) options.period = spec.period();
  if (spec.step() > 0.0) options.step = spec.step();
  return options;
}

absl::StatusOr<Optimizer::Options> ReadOptions(const v1::OptimizerSpec& spec) {
  Optimizer::Options options;
  if (!(spec.clip_norm() >= 0.0) || !std::isfinite(spec.clip_norm())) {
    return Invalid("clip_norm", "a finite number that is not negative, where 0 never clips",
                   spec.clip_norm());
  }
  options.clip_norm = spec.clip_norm();
  if (spec.has_lookahead()) {
    LIPSERVE_ASSIGN_OR_RETURN(options.lookahead, ReadLookahead(spec.lookahead()));
  }
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
  LIPSERVE_ASSIGN_OR_RETURN(const Optimizer::Options options, ReadOptions(spec));
  ParameterGroup all{std::move(parameters), names};
  std::vector<std::unique_ptr<UpdateRule>> rules(1);
  LIPSERVE_ASSIGN_OR_RETURN(rules[0], MakeRule(spec, Select(all, /*orthogonal=*/false)));
  ParameterGroup orthogonal = Select(all, /*orthogonal=*/true);
  if (!orthogonal.parameters.empty()) {
    LIPSERVE_ASSIGN_OR_RETURN(rules.emplace_back(), MakeOrthogonalRule(spec, orthogonal));
  } else if (spec.has_orthogonal()) {
    return absl::InvalidArgumentError(
        "optimizer.orthogonal: expected a layer with ORTHOGONAL_METHOD_RETRACTION that it could "
        "move, got none");
  }
  return std::make_unique<Optimizer>(options, std::move(all), std::move(rules));
}

std::string DescribeLearningRate(const v1::OptimizerSpec& spec) {
  const std::string kind = spec.has_adam() ? "adam" : spec.has_nadam() ? "nadam" : "sgd";
  std::string text =
      absl::StrFormat("optimizer.%s.learning_rate (now %g)", kind, LearningRate(spec));
  const v1::OrthogonalStepSpec& orthogonal = spec.orthogonal();
  if (orthogonal.step_length() > 0.0) {
    absl::StrAppendFormat(&text, " or optimizer.orthogonal.step_length (now %g)",
                          orthogonal.step_length());
  } else if (orthogonal.learning_rate() > 0.0) {
    absl::StrAppendFormat(&text, " or optimizer.orthogonal.learning_rate (now %g)",
                          orthogonal.learning_rate());
  }
  return text;
}

}  // namespace lipserve::trainer
