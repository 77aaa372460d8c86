// SPDX-License-Identifier: Apache-2.0
#include "server/operations/checked_threads.h"

#include <utility>

#include "model/execution/onednn.h"
#include "model/foundation/status_macros.h"

namespace lipserve {

absl::StatusOr<std::unique_ptr<CheckedThreads>> CheckedThreads::Start(std::size_t count,
                                                                      std::function<void()> body,
                                                                      ThreadCheck check) {
  std::unique_ptr<CheckedThreads> threads(new CheckedThreads(std::move(body), std::move(check)));
  threads->threads_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    threads->threads_.emplace_back([self = threads.get()] { self->Run(); });
  }
  LIPSERVE_RETURN_IF_ERROR(threads->AwaitChecks(count));
  return threads;
}

CheckedThreads::CheckedThreads(std::function<void()> body, ThreadCheck check)
    : body_(std::move(body)), check_(std::move(check)) {}

CheckedThreads::~CheckedThreads() {
  for (std::thread& thread : threads_) thread.join();
}

void CheckedThreads::Run() {
  onednn::SetThreadsOfThisThread(1);
  const absl::Status status = check_();
  {
    MutexLock lock(mutex_);
    ++reported_;
    checked_.Update(status);
    changed_.NotifyAll();
    while (!may_work_.has_value()) changed_.Wait(mutex_);
    if (!*may_work_) return;
  }
  body_();
}

absl::Status CheckedThreads::AwaitChecks(std::size_t count) {
  MutexLock lock(mutex_);
  while (reported_ < count) changed_.Wait(mutex_);
  may_work_ = checked_.ok();
  changed_.NotifyAll();
  return checked_;
}

}  // namespace lipserve
