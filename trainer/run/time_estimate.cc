// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/time_estimate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

#include "absl/strings/str_format.h"

namespace lipserve::trainer {
namespace {

constexpr std::int64_t kMostSteps = 20;
constexpr double kMostSeconds = 1.0;
constexpr double kShareOfTraining = 0.02;

// Records the time between calls.
class Stopwatch {
 public:
  explicit Stopwatch(const Clock& clock) : clock_(clock), last_(clock()) {}

  void Next() {
    const auto now = clock_();
    seconds_.push_back(std::chrono::duration<double>(now - last_).count());
    last_ = now;
  }

  // Of all but the first `skipped`.
  double Median(std::size_t skipped) {
    const std::size_t first = std::min(skipped, seconds_.size() - 1);
    const auto begin = seconds_.begin() + static_cast<std::ptrdiff_t>(first);
    const auto middle = begin + (seconds_.end() - begin) / 2;
    std::nth_element(begin, middle, seconds_.end());
    return *middle;
  }

 private:
  const Clock& clock_;
  std::chrono::steady_clock::time_point last_;
  std::vector<double> seconds_;
};

// The median time of a step after the first `skipped`.
double SecondsPerStep(TrainingLoop& loop, const Clock& clock, std::int64_t steps,
                      std::size_t skipped) {
  Stopwatch stopwatch(clock);
  loop.ProfileSteps(steps, [&stopwatch] { stopwatch.Next(); });
  return stopwatch.Median(skipped);
}

// "0.6 s", "42 s", "19 min", "3 h 10 min".
std::string DurationText(double seconds) {
  if (seconds < 10.0) return absl::StrFormat("%.2g s", seconds);
  if (seconds < 120.0) return absl::StrFormat("%.0f s", seconds);
  const auto minutes = static_cast<std::int64_t>(std::lround(seconds / 60.0));
  if (minutes < 120) return absl::StrFormat("%d min", minutes);
  return absl::StrFormat("%d h %d min", minutes / 60, minutes % 60);
}

}  // namespace

TimeEstimate EstimateTime(TrainingLoop& loop, const Clock& clock) {
  TimeEstimate estimate;
  estimate.epochs_left = loop.recipe().epochs() - loop.epochs_done();
  estimate.steps_per_epoch = loop.steps_per_epoch();
  const double steps_left = static_cast<double>(estimate.epochs_left * estimate.steps_per_epoch);
  const double first = SecondsPerStep(loop, clock, 2, 1);
  const double budget = std::min(kMostSeconds, kShareOfTraining * first * steps_left);
  const auto more = static_cast<std::int64_t>(budget / std::max(first, 1e-9));
  // The first step waits for its minibatch. Later minibatches are prepared while steps run.
  estimate.step_seconds =
      more < 2 ? first : SecondsPerStep(loop, clock, std::min(more, kMostSteps), 1);
  Stopwatch validation(clock);
  loop.ProfileValidation(3, [&validation] { validation.Next(); });
  const auto batches = std::ceil(static_cast<double>(loop.dataset().validation.size()) /
                                 static_cast<double>(loop.recipe().batch_size()));
  estimate.epoch_seconds = static_cast<double>(estimate.steps_per_epoch) * estimate.step_seconds +
                           batches * validation.Median(1);
  estimate.training_seconds = static_cast<double>(estimate.epochs_left) * estimate.epoch_seconds;
  return estimate;
}

std::string DescribeTimeEstimate(const TimeEstimate& estimate) {
  return absl::StrFormat("about %s: %d epoch%s of %s, each of %d steps of %.3g ms and validation",
                         DurationText(estimate.training_seconds), estimate.epochs_left,
                         estimate.epochs_left == 1 ? "" : "s", DurationText(estimate.epoch_seconds),
                         estimate.steps_per_epoch, 1e3 * estimate.step_seconds);
}

std::string SlowThreadsWarning(const TimeEstimate& estimate, int threads,
                               const TimeEstimate& with_one) {
  return absl::StrFormat(
      "warning: threads: an epoch takes %s with %d, %s with one: leave --threads at 1; beside "
      "other "
      "programs, OMP_WAIT_POLICY=passive in the environment keeps threads from waiting busily",
      DurationText(estimate.epoch_seconds), threads, DurationText(with_one.epoch_seconds));
}

}  // namespace lipserve::trainer
