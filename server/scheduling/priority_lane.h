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

// The requests of one model that wait, in the order in which they are to be computed: those of
// higher priority first, and those of one priority as they came. Each level down is worth
// kHeadStart: a request waits as if it had arrived so much later.
//
// Guarantee: a request is overtaken only by those that arrived less than
//            kHeadStart * (its level - theirs) after it, so that none waits for ever.
// Threads:   used by one thread at a time. Tasks are borrowed from Append until they are taken.
class PriorityLane {
 public:
  // Far longer than a queue that is not overloaded takes to empty, far shorter than clients wait.
  static constexpr std::chrono::milliseconds kHeadStart{100};

  // Requires: task is in no lane, and of the model of the others.
  void Append(ClassificationTask& task);

  bool empty() const { return filled_levels_ == 0; }

  // How many images a batch has that is taken now: as many as `max_images` allows of the first
  // requests. None is split; one that is larger is a batch of its own. Requires: not empty.
  std::size_t NextBatchImages(std::size_t max_images) const;

  // Appends the tasks of that batch to `batch`, first to be computed first. Returns its images.
  // Requires: not empty.
  std::size_t TakeBatch(std::size_t max_images, std::vector<ClassificationTask*>& batch);

 private:
  const ClassificationTask& First() const { return *first_[NextLevel()]; }
  ClassificationTask& PopFirst();
  // The level whose first task is the next. Requires: not empty.
  std::size_t NextLevel() const;

  // The queue of each level, linked through next_in_lane_; without a first, the last means nothing.
  std::array<ClassificationTask*, kPriorityLevels> first_{};
  std::array<ClassificationTask*, kPriorityLevels> last_{};
  unsigned filled_levels_ = 0;  // bit i: first_[i] is there
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_PRIORITY_LANE_H_
