// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/batch_executor.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"

namespace lipserve {

void BatchExecutor::Execute(std::span<ClassificationTask* const> batch) {
  Expire(batch);
  std::span<ClassificationTask*> rest(live_);
  while (!rest.empty()) {
    const RadiusPrecision precision = rest.front()->images().precision;
    // Allocates only if there are several precisions.
    const auto others = std::stable_partition(rest.begin(), rest.end(),
                                              [precision](const ClassificationTask* task) {
                                                return task->images().precision == precision;
                                              });
    const auto count = static_cast<std::size_t>(others - rest.begin());
    ExecuteSamePrecision(rest.first(count));
    rest = rest.subspan(count);
  }
}

void BatchExecutor::ExecuteSamePrecision(std::span<ClassificationTask* const> tasks) {
  // Tasks release the model when they complete; this batch still needs it.
  const std::shared_ptr<const ServedModel> model = tasks.front()->model();
  const ConstMatrixView inputs = tasks.size() == 1 ? tasks.front()->inputs() : Gather(tasks);
  if (answers_.size() < inputs.rows) answers_.resize(inputs.rows);
  const std::span<Answer> answers(answers_.data(), inputs.rows);

  const Clock::TimePoint start = clock_.Now();
  model->ClassifyByFloatingPoint(inputs, answers, tasks.front()->images().precision);
  RecordBatch(tasks, answers, start, clock_.Now());

  const std::size_t decided = SubmitUndecided(tasks);
  model->metrics().ObserveAnswers(answers.first(decided));
  if (!decided_.empty()) delivery_.Deliver(decided_, answers_);
}

std::size_t BatchExecutor::SubmitUndecided(std::span<ClassificationTask* const> tasks) {
  decided_.clear();
  auto to = answers_.begin();
  auto from = answers_.begin();
  for (ClassificationTask* const task : tasks) {
    const auto end = from + static_cast<std::ptrdiff_t>(task->images().num_images);
    if (std::any_of(from, end, [](const Answer& answer) { return answer.is_undecided; })) {
      exact_stage_.Submit(*task, {from, end});
    } else {
      decided_.push_back(task);
      to = to == from ? end : std::move(from, end, to);
    }
    from = end;
  }
  return static_cast<std::size_t>(to - answers_.begin());
}

void BatchExecutor::RecordBatch(std::span<ClassificationTask* const> tasks,
                                std::span<const Answer> answers, Clock::TimePoint start,
                                Clock::TimePoint end) {
  std::size_t first = 0;
  ComputedBatch batch{.images = answers.size(), .requests = 0, .computing = end - start};
  for (ClassificationTask* const task : tasks) {
    task->SetComputed(answers.size(), start, end);
    const std::span<const Answer> own = answers.subspan(first, task->images().num_images);
    first += own.size();
    if (std::any_of(own.begin(), own.end(), [](const Answer& a) { return a.is_undecided; })) {
      continue;  // the exact stage counts it
    }
    ++batch.requests;
    batch.queued += start - task->decoded();
    batch.decoding += task->decoded() - task->arrival();
  }
  tasks.front()->model()->metrics().ObserveBatch(batch);
}

void BatchExecutor::Expire(std::span<ClassificationTask* const> batch) {
  live_.clear();
  const Clock::TimePoint now = clock_.Now();
  for (ClassificationTask* const task : batch) {
    const double waited = SecondsBetween(task->arrival(), now);
    task->model()->metrics().ObserveQueueDelay(waited);
    if (task->deadline() <= now) {
      task->Complete(absl::DeadlineExceededError(
                         absl::StrCat("the deadline passed while the request was queued for ",
                                      waited * 1e3, " ms; nothing was computed")),
                     {});
    } else if (task->IsCancelled()) {
      task->Complete(absl::CancelledError("cancelled while queued; nothing was computed"), {});
    } else {
      live_.push_back(task);
    }
  }
}

ConstMatrixView BatchExecutor::Gather(std::span<ClassificationTask* const> tasks) {
  gathered_.clear();
  for (const ClassificationTask* const task : tasks) {
    const std::vector<float>& inputs = task->images().inputs;
    gathered_.insert(gathered_.end(), inputs.begin(), inputs.end());
  }
  const std::size_t input_size = tasks.front()->model()->input_size();
  return {gathered_.data(), gathered_.size() / input_size, input_size};
}

}  // namespace lipserve
