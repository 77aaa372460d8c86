// SPDX-License-Identifier: Apache-2.0
#include "server/quick_compute.h"

namespace lipserve {

void QuickCompute::Run() {
  std::chrono::nanoseconds left = budget_;
  const Clock::TimePoint start = clock_.Now();
  while (queue_.TakeQuickBatch(left, batch_)) {
    executor_.Execute(batch_);
    queue_.BatchDone();
    left = budget_ - (clock_.Now() - start);
  }
}

}  // namespace lipserve
