// SPDX-License-Identifier: Apache-2.0
#ifndef MODEL_FOUNDATION_PACED_STOP_CHECK_H_
#define MODEL_FOUNDATION_PACED_STOP_CHECK_H_

#include <cstddef>

#include "model/foundation/stop_check.h"

namespace lipserve {

// Asks a StopCheck about once a millisecond of work, so that asking costs nothing.
//
//   PacedStopCheck stopped(stop);
//   for (const Row& row : rows) {
//     if (stopped(row.size())) return;
//     Compute(row);
//   }
class PacedStopCheck {
 public:
  // `stop` must outlive the object.
  explicit PacedStopCheck(const StopCheck& stop) : stop_(stop) {}

  // Whether to stop. `operations`: since the last call.
  bool operator()(std::size_t operations) {
    done_ += operations;
    if (done_ < kOperations) return false;
    done_ = 0;
    return stop_();
  }

 private:
  static constexpr std::size_t kOperations = std::size_t{1} << 20U;

  const StopCheck& stop_;
  std::size_t done_ = 0;
};

}  // namespace lipserve

#endif  // MODEL_FOUNDATION_PACED_STOP_CHECK_H_
