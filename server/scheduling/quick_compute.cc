// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/quick_compute.h"

#include <algorithm>

namespace lipserve {

std::size_t QuickCompute::Run() {
  std::size_t answered = 0;
  const Clock::TimePoint end = clock_.Now() + kMaxBudgetsPerRun * budget_;
  std::chrono::nanoseconds left = budget_;
  while (queue_.TakeQuickBatch(left, kBudgetsBeforeSharing * budget_, batch_)) {
    executor_.Execute(batch_);
    queue_.BatchDone();
    answered += batch_.size();
    left = std::min<std::chrono::nanoseconds>(budget_, end - clock_.Now());
  }
  return answered;
}

}  // namespace lipserve
