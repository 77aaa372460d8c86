// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/exact_stage.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/execution/onednn.h"
#include "model/foundation/status_macros.h"
#include "model/foundation/stop_check.h"
#include "server/operations/request_error.h"

namespace lipserve {
namespace {

// A tenth of a poller's CPU, and a third of a worker's, if all want it.
constexpr int kExactStageNiceness = 10;

// After so long a task lets others go first, before its next image.
constexpr std::chrono::milliseconds kTurn{20};

// What waits longer when the server stops gets an error.
constexpr std::chrono::seconds kFinishTime{5};

std::chrono::milliseconds RetryDelayOf(std::chrono::nanoseconds expected_wait) {
  using std::chrono::milliseconds;
  return std::clamp(std::chrono::ceil<milliseconds>(expected_wait), milliseconds(1),
                    milliseconds(1000));
}

// Why the task should not be computed any further.
std::optional<absl::Status> ReasonToStop(const ClassificationTask& task, const Clock& clock,
                                         Clock::TimePoint finish_by) {
  if (clock.Now() >= finish_by) {
    return absl::UnavailableError(
        "the server stops before the exact stage has decided the images; "
        "try another instance");
  }
  if (task.IsCancelled()) return absl::CancelledError("cancelled in the exact stage");
  if (task.deadline() > clock.Now()) return std::nullopt;
  return absl::DeadlineExceededError(
      "the deadline passed in the exact stage, which decides images that lie too close to a tie of "
      "two classes for floating point; allow more time, or send such images in calls of their own");
}

// Before the answer leaves, so that no client misses its own request in the statistics.
void CountDecided(ClassificationTask& task, Clock::TimePoint end) {
  const Clock::TimePoint start = task.computing_start();
  task.model()->metrics().ObserveLateRequest({.images = task.batch_images(),
                                              .requests = 1,
                                              .queued = start - task.decoded(),
                                              .decoding = task.decoded() - task.arrival(),
                                              .computing = end - start});
  task.SetComputed(task.batch_images(), start, end);
}

}  // namespace

ExactStage::ExactStage(std::size_t capacity_images, Metrics& metrics, const Clock& clock)
    : clock_(clock), queue_(capacity_images, metrics, RequestQueue::Stage::kExact) {}

absl::Status ExactStage::StartThread(const ThreadCheck& check) {
  const auto body = [this] {
    ::setpriority(PRIO_PROCESS, 0, kExactStageNiceness);  // of this thread, in Linux
    DecideUntilClosed();
  };
  LIPSERVE_ASSIGN_OR_RETURN(thread_, CheckedThreads::Start(1, body, check));
  return absl::OkStatus();
}

void ExactStage::Submit(ClassificationTask& task, std::span<const Answer> answers) {
  // Before Admit, after which the task belongs to the thread.
  task.partial_answers_.assign(answers.begin(), answers.end());
  absl::Status admitted = queue_.Admit(task, ComputedBy::kWorker);
  if (admitted.ok()) return;
  task.partial_answers_ = {};
  if (absl::IsResourceExhausted(admitted)) {
    SetRetryDelay(admitted, RetryDelayOf(queue_.ExpectedWait(*task.model())));
  }
  task.Complete(admitted, {});
}

void ExactStage::Finish() {
  finish_by_.store(clock_.Now() + kFinishTime);
  queue_.Close();
  onednn::SetThreadsOfThisThread(1);
  DecideUntilClosed();
  thread_.reset();
}

void ExactStage::DecideUntilClosed() {
  std::vector<ClassificationTask*> batch;
  while (queue_.TakeBatch(batch)) {
    for (ClassificationTask* const task : batch) {
      if (!Decide(*task)) queue_.Return(*task);
    }
    queue_.BatchDone();
  }
}

bool ExactStage::Decide(ClassificationTask& task) {
  // The task may be reused as soon as it is completed, and it releases the model.
  const std::shared_ptr<const ServedModel> model = task.model();
  std::vector<Answer>& answers = task.partial_answers_;
  std::optional<absl::Status> reason;
  const StopCheck stop([&] {
    reason = ReasonToStop(task, clock_, finish_by_.load());
    return reason.has_value();
  });
  const Clock::TimePoint start = clock_.Now();
  std::int64_t decided = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].is_undecided) continue;
    if (decided > 0 && clock_.Now() - start >= kTurn && queue_.queued_images() > 0) return false;
    if (stop() || !model->ClassifyExactly(task.inputs().row(i), answers[i], stop)) {
      task.partial_answers_ = {};
      task.Complete(*reason, {});
      return true;
    }
    ++decided;
    model->ObserveExactTime((clock_.Now() - start) / decided);
  }
  model->metrics().ObserveAnswers(answers);
  CountDecided(task, clock_.Now());
  const std::vector<Answer> complete = std::exchange(task.partial_answers_, {});
  task.Complete(absl::OkStatus(), complete);
  return true;
}

}  // namespace lipserve
