// SPDX-License-Identifier: Apache-2.0
#include "server/quick_compute.h"

namespace lipserve {

std::size_t QuickCompute::Run() {
  std::size_t answered = 0;
  std::chrono::nanoseconds left = budget_;
  const Clock::TimePoint start = clock_.Now();
  while (queue_.TakeQuickBatch(left, batch_)) {
    executor_.Execute(batch_);
    queue_.BatchDone();
    answered += batch_.size();
    left = budget_ - (clock_.Now() - start);
  }
  return answered;
}

}  // namespace lipserve
