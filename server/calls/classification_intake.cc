// SPDX-License-Identifier: Apache-2.0
#include "server/calls/classification_intake.h"

#include <algorithm>
#include <utility>

#include "server/operations/request_error.h"

namespace lipserve {

absl::Status ClassificationIntake::CheckRoom(const ServedModel& model, std::int64_t images) const {
  if (images < 1 || std::cmp_greater(images, settings_.max_images_per_call))
    return absl::OkStatus();
  return WithRetryDelay(queue_.CheckRoom(model, static_cast<std::size_t>(images)), model);
}

void ClassificationIntake::Take(ClassificationTask& task) {
  const bool is_quick =
      task.model()->ExpectedTime(task.images().num_images) <= settings_.inline_budget;
  const absl::Status admitted =
      queue_.Admit(task, is_quick ? Attendant::kCaller : Attendant::kWorker);
  // Once it is queued, the task belongs to who computes it, and may even have been answered.
  if (admitted.ok()) return;
  task.Complete(WithRetryDelay(admitted, *task.model()), {});
}

absl::Status ClassificationIntake::WithRetryDelay(absl::Status refusal,
                                                  const ServedModel& model) const {
  if (absl::IsResourceExhausted(refusal)) SetRetryDelay(refusal, TimeUntilThereIsRoom(model));
  return refusal;
}

std::chrono::milliseconds ClassificationIntake::TimeUntilThereIsRoom(
    const ServedModel& model) const {
  using std::chrono::milliseconds;
  const auto workers = static_cast<std::int64_t>(std::max<std::size_t>(settings_.workers, 1));
  const auto wait = std::chrono::ceil<milliseconds>(queue_.ExpectedWait(model) / workers);
  return std::clamp(wait, milliseconds(1), milliseconds(1000));
}

Clock::TimePoint OnClock(std::chrono::system_clock::time_point deadline, Clock::TimePoint now) {
  using SystemClock = std::chrono::system_clock;
  if (deadline == SystemClock::time_point::max()) return Clock::TimePoint::max();
  return now +
         std::chrono::duration_cast<Clock::TimePoint::duration>(deadline - SystemClock::now());
}

}  // namespace lipserve
