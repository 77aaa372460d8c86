// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_PRIORITY_LANE_H_
#define SERVER_SCHEDULING_PRIORITY_LANE_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <vector>

#include "server/repository/priority.h"
#include "server/scheduling/classification_task.h"

namespace lipserve {

// The waiting requests of one model, in the order in which they will be computed.
//
// Higher priority comes first; within one priority, first come first served. Each level down delays
// a request as if it had arrived kHeadStart later.
//
// Guarantee: a request is overtaken only by requests that arrived less than kHeadStart * (its level
//            - theirs) after it. So no request starves.
// Threads:   one at a time. Tasks are borrowed from Append until they are taken.
class PriorityLane {
 public:
  // Far longer than a queue without overload takes to empty, and far shorter than clients wait.
  static constexpr std::chrono::milliseconds kHeadStart{100};

  // Requires: `task` is in no lane, and its model is that of the other tasks.
  void Append(ClassificationTask& task);

  bool empty() const { return filled_levels_ == 0; }

  // Number of images in the batch that TakeBatch would take now: as many of the first requests as
  // fit into `max_images`. No request is split; a larger one is a batch of its own.
  //
  // Requires: not empty.
  std::size_t NextBatchImages(std::size_t max_images) const;

  // Moves the tasks of that batch to the end of `batch`, in order. Returns its number of images.
  //
  // Requires: not empty.
  std::size_t TakeBatch(std::size_t max_images, std::vector<ClassificationTask*>& batch);

 private:
  const ClassificationTask& First() const { return *first_[NextLevel()]; }
  ClassificationTask& PopFirst();
  // The level whose first task is next. Requires: not empty.
  std::size_t NextLevel() const;

  // A linked list per level, through next_in_lane_. If first_[i] is null, last_[i] is undefined.
  std::array<ClassificationTask*, kPriorityLevels> first_{};
  std::array<ClassificationTask*, kPriorityLevels> last_{};
  unsigned filled_levels_ = 0;  // bit i: first_[i] is not null
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_PRIORITY_LANE_H_
