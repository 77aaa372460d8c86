// SPDX-License-Identifier: Apache-2.0
// A schedule: a factor on a number of the recipe that changes over the run. It applies to learning
// rates and to the numbers of losses. With p the share of the run that is done, 0 at the first
// step:
//
//   constant      1
//   linear        from + (to - from) p / until, then `to`
//   exponential   to^p, or per_epoch^(epochs p)
//   cosine        to + (1 - to) (1 + cos(pi p)) / 2
//   one cycle     half a cosine from `from` to 1 until peak_at, then one from 1 to `to`
//   points        straight lines between them
//   warm-up       of w steps, before all of these: first value * (step + 1) / w; p then counts
//                 from the end of the warm-up
//
// Source: Loshchilov, Hutter 2017, arXiv:1608.03983 (cosine); Smith, Topin 2017, arXiv:1708.07120
//         (one cycle); Goyal et al. 2017, arXiv:1706.02677 (warm-up).
#ifndef TRAINER_TRAINING_SCHEDULE_H_
#define TRAINER_TRAINING_SCHEDULE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "lipserve/v1/recipe.pb.h"

namespace lipserve::trainer {

// Guarantee: the factor of a step depends on the schedule, the run's length and the step alone.
class Schedule {
 public:
  // How long the run is.
  struct Run {
    std::int64_t steps = 1;   // at least 1
    std::int64_t epochs = 1;  // at least 1
  };

  // `field` is the schedule's field in the recipe, e.g. "optimizer.learning_rate_schedule".
  //
  // Errors: InvalidArgument naming the field, what was expected and found.
  static absl::StatusOr<Schedule> Create(const std::string& field, const v1::Schedule& spec,
                                         const Run& run);

  // The factor for step `step` of the run, from 0.
  double Factor(std::int64_t step) const;

  // All factors of the run lie between these.
  struct Range {
    double lowest = 1.0;
    double highest = 1.0;
  };
  Range range() const;

  // "cosine from 1 to 0.1 after a warm-up of 0.05".
  std::string description() const;

 private:
  Schedule(const v1::Schedule& spec, const Run& run);

  // The curve without warm-up.
  double Curve(double progress) const;

  v1::Schedule spec_;  // with defaults filled in
  Run run_;
  std::int64_t warmup_steps_ = 0;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_TRAINING_SCHEDULE_H_
