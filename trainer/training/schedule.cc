// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/foundation/status_macros.h"

namespace lipserve::trainer {
namespace {

constexpr double kOneCycleFrom = 0.04;
constexpr double kOneCycleTo = 4e-6;
constexpr double kOneCyclePeak = 0.3;

// Checks of the numbers of one schedule.
class Fields {
 public:
  explicit Fields(const std::string& place) : place_(place) {}

  absl::Status Check(bool right, const char* field, const char* expected, double got) const {
    if (right) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrFormat("%s.%s: expected %s, got %g", place_, field, expected, got));
  }
  absl::Status NotNegative(const char* field, double value) const {
    return Check(value >= 0.0 && std::isfinite(value), field,
                 "a finite number that is not negative", value);
  }

 private:
  const std::string& place_;
};

absl::Status ReadLinear(const Fields& fields, v1::LinearSchedule& linear) {
  LIPSERVE_RETURN_IF_ERROR(fields.NotNegative("linear.from", linear.from()));
  LIPSERVE_RETURN_IF_ERROR(fields.NotNegative("linear.to", linear.to()));
  if (linear.until() == 0.0) linear.set_until(1.0);
  return fields.Check(linear.until() > 0.0 && linear.until() <= 1.0, "linear.until",
                      "a share in (0, 1], where 0 takes 1", linear.until());
}

absl::Status ReadExponential(const Fields& fields, const v1::ExponentialSchedule& exponential) {
  LIPSERVE_RETURN_IF_ERROR(fields.NotNegative("exponential.to", exponential.to()));
  LIPSERVE_RETURN_IF_ERROR(fields.NotNegative("exponential.per_epoch", exponential.per_epoch()));
  return fields.Check((exponential.to() > 0.0) != (exponential.per_epoch() > 0.0), "exponential.to",
                      "exactly one of `to` and `per_epoch` to be positive", exponential.to());
}

absl::Status ReadOneCycle(const Fields& fields, v1::OneCycleSchedule& cycle) {
  if (cycle.from() == 0.0) cycle.set_from(kOneCycleFrom);
  if (cycle.to() == 0.0) cycle.set_to(kOneCycleTo);
  if (cycle.peak_at() == 0.0) cycle.set_peak_at(kOneCyclePeak);
  LIPSERVE_RETURN_IF_ERROR(fields.Check(cycle.from() > 0.0 && cycle.from() <= 1.0, "one_cycle.from",
                                        "a factor in (0, 1], where 0 takes 0.04", cycle.from()));
  LIPSERVE_RETURN_IF_ERROR(fields.Check(cycle.to() > 0.0 && cycle.to() <= 1.0, "one_cycle.to",
                                        "a factor in (0, 1], where 0 takes 4e-6", cycle.to()));
  return fields.Check(cycle.peak_at() > 0.0 && cycle.peak_at() < 1.0, "one_cycle.peak_at",
                      "a share in (0, 1), where 0 takes 0.3", cycle.peak_at());
}

absl::Status ReadPoints(const Fields& fields, const v1::PointsSchedule& points) {
  LIPSERVE_RETURN_IF_ERROR(
      fields.Check(points.point_size() > 0, "points", "at least one point", 0.0));
  double previous = 0.0;
  for (const v1::SchedulePoint& point : points.point()) {
    LIPSERVE_RETURN_IF_ERROR(fields.Check(point.at() >= previous && point.at() <= 1.0,
                                          "points.point.at", "shares in [0, 1] that do not fall",
                                          point.at()));
    LIPSERVE_RETURN_IF_ERROR(fields.NotNegative("points.point.factor", point.factor()));
    previous = point.at();
  }
  return absl::OkStatus();
}

// Half a cosine from `from` to `to`.
double HalfCosine(double from, double to, double progress) {
  return to + (from - to) * (1.0 + std::cos(std::numbers::pi * progress)) / 2.0;
}

double Interpolate(const v1::PointsSchedule& points, double at) {
  const v1::SchedulePoint* before = &points.point(0);
  for (const v1::SchedulePoint& point : points.point()) {
    if (at < point.at()) {
      if (at <= before->at()) return before->factor();
      const double share = (at - before->at()) / (point.at() - before->at());
      return before->factor() + share * (point.factor() - before->factor());
    }
    before = &point;
  }
  return before->factor();
}

double ExponentialEnd(const v1::ExponentialSchedule& exponential, std::int64_t epochs) {
  return exponential.to() > 0.0 ? exponential.to()
                                : std::pow(exponential.per_epoch(), static_cast<double>(epochs));
}

}  // namespace

Schedule::Schedule(const v1::Schedule& spec, const Run& run) : spec_(spec), run_(run) {
  warmup_steps_ = std::llround(spec.warmup() * static_cast<double>(run.steps));
}

absl::StatusOr<Schedule> Schedule::Create(const std::string& field, const v1::Schedule& spec,
                                          const Run& run) {
  const Fields fields(field);
  v1::Schedule filled = spec;
  LIPSERVE_RETURN_IF_ERROR(fields.Check(spec.warmup() >= 0.0 && spec.warmup() < 1.0, "warmup",
                                        "a share in [0, 1)", spec.warmup()));
  switch (spec.kind_case()) {
    case v1::Schedule::kConstant:
      break;
    case v1::Schedule::kLinear:
      LIPSERVE_RETURN_IF_ERROR(ReadLinear(fields, *filled.mutable_linear()));
      break;
    case v1::Schedule::kExponential:
      LIPSERVE_RETURN_IF_ERROR(ReadExponential(fields, spec.exponential()));
      break;
    case v1::Schedule::kCosine:
      LIPSERVE_RETURN_IF_ERROR(fields.NotNegative("cosine.to", spec.cosine().to()));
      break;
    case v1::Schedule::kOneCycle:
      LIPSERVE_RETURN_IF_ERROR(ReadOneCycle(fields, *filled.mutable_one_cycle()));
      break;
    case v1::Schedule::kPoints:
      LIPSERVE_RETURN_IF_ERROR(ReadPoints(fields, spec.points()));
      break;
    case v1::Schedule::KIND_NOT_SET:
      return absl::InvalidArgumentError(absl::StrCat(
          field,
          ": expected one of constant, linear, exponential, cosine, one_cycle, points, got none"));
  }
  return Schedule(filled, run);
}

double Schedule::Factor(std::int64_t step) const {
  if (step < warmup_steps_) {
    return Curve(0.0) * static_cast<double>(step + 1) / static_cast<double>(warmup_steps_);
  }
  const std::int64_t rest = run_.steps - warmup_steps_;
  if (rest <= 0) return Curve(0.0);
  return Curve(static_cast<double>(step - warmup_steps_) / static_cast<double>(rest));
}

double Schedule::Curve(double progress) const {
  switch (spec_.kind_case()) {
    case v1::Schedule::kLinear: {
      const v1::LinearSchedule& linear = spec_.linear();
      const double share = std::min(progress / linear.until(), 1.0);
      return linear.from() + (linear.to() - linear.from()) * share;
    }
    case v1::Schedule::kExponential:
      return std::pow(ExponentialEnd(spec_.exponential(), run_.epochs), progress);
    case v1::Schedule::kCosine:
      return HalfCosine(1.0, spec_.cosine().to(), progress);
    case v1::Schedule::kOneCycle: {
      const v1::OneCycleSchedule& cycle = spec_.one_cycle();
      if (progress < cycle.peak_at()) {
        return HalfCosine(cycle.from(), 1.0, progress / cycle.peak_at());
      }
      return HalfCosine(1.0, cycle.to(), (progress - cycle.peak_at()) / (1.0 - cycle.peak_at()));
    }
    case v1::Schedule::kPoints:
      return Interpolate(spec_.points(), progress);
    default:
      return 1.0;
  }
}

Schedule::Range Schedule::range() const {
  // Every curve is monotone between these.
  std::vector<double> extremes = {Curve(0.0), Curve(1.0)};
  if (spec_.has_one_cycle()) extremes.push_back(1.0);
  for (const v1::SchedulePoint& point : spec_.points().point()) {
    extremes.push_back(point.factor());
  }
  if (warmup_steps_ > 0) extremes.push_back(Factor(0));
  const auto [lowest, highest] = std::minmax_element(extremes.begin(), extremes.end());
  return {*lowest, *highest};
}

std::string Schedule::description() const {
  std::string text;
  switch (spec_.kind_case()) {
    case v1::Schedule::kLinear:
      text = absl::StrFormat("linear from %g to %g", spec_.linear().from(), spec_.linear().to());
      if (spec_.linear().until() < 1.0) {
        absl::StrAppendFormat(&text, " at %g of the run", spec_.linear().until());
      }
      break;
    case v1::Schedule::kExponential:
      text = spec_.exponential().to() > 0.0
                 ? absl::StrFormat("exponential from 1 to %g", spec_.exponential().to())
                 : absl::StrFormat("exponential, %g per epoch", spec_.exponential().per_epoch());
      break;
    case v1::Schedule::kCosine:
      text = absl::StrFormat("cosine from 1 to %g", spec_.cosine().to());
      break;
    case v1::Schedule::kOneCycle:
      text =
          absl::StrFormat("one cycle from %g to 1 at %g of the run to %g", spec_.one_cycle().from(),
                          spec_.one_cycle().peak_at(), spec_.one_cycle().to());
      break;
    case v1::Schedule::kPoints:
      text = "points";
      for (const v1::SchedulePoint& point : spec_.points().point()) {
        absl::StrAppendFormat(&text, " %g at %g", point.factor(), point.at());
      }
      break;
    default:
      text = "constant";
  }
  if (spec_.warmup() > 0.0) absl::StrAppendFormat(&text, ", warm-up %g of the run", spec_.warmup());
  return text;
}

}  // namespace lipserve::trainer
