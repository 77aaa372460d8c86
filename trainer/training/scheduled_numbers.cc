// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/scheduled_numbers.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "proto/text/near_name.h"

namespace lipserve::trainer {
namespace {

absl::StatusOr<LossParameter> FindParameter(const std::string& field, const std::string& name,
                                            const Loss& loss) {
  std::vector<std::string> names;
  for (const LossParameter& parameter : loss.parameters()) {
    if (parameter.name == name) return parameter;
    names.push_back(parameter.name);
  }
  const std::string nearest = NearName(name, names);
  return absl::InvalidArgumentError(
      absl::StrCat(field, ".parameter: expected a number of ", loss.description(), " (",
                   names.empty() ? "it has none" : absl::StrJoin(names, ", "), "), got \"", name,
                   "\"", nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?")));
}

absl::Status CheckRange(const std::string& field, const LossParameter& parameter,
                        const Schedule::Range& factors) {
  const double lowest = *parameter.value * factors.lowest;
  const double highest = *parameter.value * factors.highest;
  if (std::min(lowest, highest) >= parameter.lowest &&
      std::max(lowest, highest) <= parameter.highest) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s.schedule: expected %s to stay in [%.3g, %.3g], got %g to %g (%g times factors from %g to "
      "%g)",
      field, parameter.name, parameter.lowest, parameter.highest, lowest, highest, *parameter.value,
      factors.lowest, factors.highest));
}

}  // namespace

absl::StatusOr<ScheduledNumbers> ScheduledNumbers::Create(const v1::Recipe& recipe,
                                                          const Schedule::Run& run,
                                                          const Loss& loss) {
  ScheduledNumbers numbers;
  if (recipe.optimizer().has_learning_rate_schedule()) {
    LIPSERVE_ASSIGN_OR_RETURN(numbers.learning_rate_,
                              Schedule::Create("optimizer.learning_rate_schedule",
                                               recipe.optimizer().learning_rate_schedule(), run));
  }
  for (int i = 0; i < recipe.loss().schedules_size(); ++i) {
    const v1::LossSchedule& spec = recipe.loss().schedules(i);
    const std::string field = absl::StrCat("loss.schedules[", i, "]");
    LIPSERVE_ASSIGN_OR_RETURN(const LossParameter parameter,
                              FindParameter(field, spec.parameter(), loss));
    for (const ScheduledLossNumber& other : numbers.loss_numbers_) {
      if (other.value != parameter.value) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          field, ".parameter: expected each number once, got \"", spec.parameter(), "\" twice"));
    }
    LIPSERVE_ASSIGN_OR_RETURN(Schedule schedule,
                              Schedule::Create(field + ".schedule", spec.schedule(), run));
    LIPSERVE_RETURN_IF_ERROR(CheckRange(field, parameter, schedule.range()));
    numbers.loss_numbers_.push_back(
        {parameter.name, parameter.value, *parameter.value, std::move(schedule)});
  }
  return numbers;
}

void ScheduledNumbers::SetForStep(std::int64_t step, Optimizer& optimizer) const {
  if (learning_rate_) optimizer.learning_rate_factor = learning_rate_->Factor(step);
  for (const ScheduledLossNumber& number : loss_numbers_) {
    *number.value = number.base * number.schedule.Factor(step);
  }
}

std::vector<std::string> ScheduledNumbers::descriptions() const {
  std::vector<std::string> lines;
  if (learning_rate_) lines.push_back("learning_rate: " + learning_rate_->description());
  for (const ScheduledLossNumber& number : loss_numbers_) {
    lines.push_back(absl::StrCat("loss.", number.name, ": ", number.schedule.description()));
  }
  return lines;
}

}  // namespace lipserve::trainer
