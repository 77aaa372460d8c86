// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/selection.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "proto/text/near_name.h"

namespace lipserve::trainer {

std::string DescribeSelection(const v1::SelectionSpec& spec) {
  std::string text = absl::StrCat(
      spec.goal() == v1::SELECTION_GOAL_HIGHEST ? "highest " : "lowest ", spec.metric());
  if (spec.patience() > 0) absl::StrAppendFormat(&text, ", patience %d", spec.patience());
  return text;
}

absl::StatusOr<Selection> Selection::Create(const v1::SelectionSpec& spec,
                                            const std::vector<std::string>& metrics) {
  if (std::find(metrics.begin(), metrics.end(), spec.metric()) == metrics.end()) {
    const std::string nearest = NearName(spec.metric(), metrics);
    return absl::InvalidArgumentError(
        absl::StrCat("selection.metric: expected one of ", absl::StrJoin(metrics, ", "), ", got \"",
                     spec.metric(), "\"",
                     nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?")));
  }
  if (spec.goal() != v1::SELECTION_GOAL_HIGHEST && spec.goal() != v1::SELECTION_GOAL_LOWEST) {
    return absl::InvalidArgumentError(
        absl::StrCat("selection.goal: expected SELECTION_GOAL_HIGHEST, as for accuracies, or "
                     "SELECTION_GOAL_LOWEST, as for losses, got ",
                     v1::SelectionGoal_Name(spec.goal())));
  }
  if (spec.patience() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("selection.patience: expected a number of epochs, or 0 to train all of them, "
                     "got ",
                     spec.patience()));
  }
  if (!(spec.min_improvement() >= 0.0) || !std::isfinite(spec.min_improvement())) {
    return absl::InvalidArgumentError(
        absl::StrCat("selection.min_improvement: expected a finite number that is not negative, "
                     "got ",
                     spec.min_improvement()));
  }
  return Selection(spec);
}

double Selection::ValueOf(const v1::EpochRecord& record) const {
  const double sign = spec_.goal() == v1::SELECTION_GOAL_HIGHEST ? 1.0 : -1.0;
  for (const v1::NamedValue& metric : record.metrics()) {
    if (metric.name() == spec_.metric()) return sign * metric.value();
  }
  return -std::numeric_limits<double>::infinity();
}

std::size_t Selection::Best(std::span<const v1::EpochRecord> history) const {
  assert(!history.empty());
  std::size_t best = 0;
  for (std::size_t i = 1; i < history.size(); ++i) {
    if (ValueOf(history[i]) > ValueOf(history[best]) + spec_.min_improvement()) best = i;
  }
  return best;
}

bool Selection::ShouldStop(std::span<const v1::EpochRecord> history) const {
  if (spec_.patience() == 0 || history.empty()) return false;
  return static_cast<std::int64_t>(history.size() - 1 - Best(history)) >= spec_.patience();
}

}  // namespace lipserve::trainer
