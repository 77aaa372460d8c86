// SPDX-License-Identifier: Apache-2.0
#include "server/calls/classification_intake.h"

#include <algorithm>
#include <utility>

#include "server/operations/request_error.h"

namespace lipserve {

absl::Status ClassificationIntake::CheckCapacity(const ServedModel& model,
                                                 std::int64_t images) const {
  if (images < 1 || std::cmp_greater(images, settings_.max_images_per_call))
    return absl::OkStatus();
  return WithRetryDelay(queue_.CheckCapacity(model, static_cast<std::size_t>(images)), model);
}

void ClassificationIntake::Submit(ClassificationTask& task) {
  const bool is_quick =
      task.model()->ExpectedTime(task.images().num_images) <= settings_.inline_budget;
  const absl::Status admitted =
      queue_.Admit(task, is_quick ? ComputedBy::kCaller : ComputedBy::kWorker);
  // Once admitted, the task belongs to the thread that computes it, and may already be answered.
  if (admitted.ok()) return;
  task.Complete(WithRetryDelay(admitted, *task.model()), {});
}

absl::Status ClassificationIntake::WithRetryDelay(absl::Status refusal,
                                                  const ServedModel& model) const {
  if (absl::IsResourceExhausted(refusal)) SetRetryDelay(refusal, ExpectedRetryDelay(model));
  return refusal;
}

std::chrono::milliseconds ClassificationIntake::ExpectedRetryDelay(const ServedModel& model) const {
  using std::chrono::milliseconds;
  const auto workers = static_cast<std::int64_t>(std::max<std::size_t>(settings_.workers, 1));
  const auto wait = std::chrono::ceil<milliseconds>(queue_.ExpectedWait(model) / workers);
  return std::clamp(wait, milliseconds(1), milliseconds(1000));
}

Clock::TimePoint ToServerClock(std::chrono::system_clock::time_point deadline,
                               Clock::TimePoint now) {
  using SystemClock = std::chrono::system_clock;
  if (deadline == SystemClock::time_point::max()) return Clock::TimePoint::max();
  return now +
         std::chrono::duration_cast<Clock::TimePoint::duration>(deadline - SystemClock::now());
}

}  // namespace lipserve
