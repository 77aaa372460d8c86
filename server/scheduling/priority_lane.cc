// SPDX-License-Identifier: Apache-2.0
#include "server/scheduling/priority_lane.h"

#include <bit>
#include <cassert>

namespace lipserve {
namespace {

// The time by which requests of all levels are compared: the arrival, later by kHeadStart per
// level.
Clock::TimePoint EffectiveArrival(const ClassificationTask& task, std::size_t level) {
  return task.arrival() + static_cast<int>(level) * PriorityLane::kHeadStart;
}

}  // namespace

void PriorityLane::Append(ClassificationTask& task) {
  const auto level = static_cast<std::size_t>(task.images().priority - 1);
  assert(level < kPriorityLevels);
  task.next_in_lane_ = nullptr;
  if (first_[level] == nullptr) {
    first_[level] = &task;
    filled_levels_ |= 1U << level;
  } else {
    last_[level]->next_in_lane_ = &task;
  }
  last_[level] = &task;
}

std::size_t PriorityLane::NextLevel() const {
  assert(!empty());
  auto next = static_cast<std::size_t>(std::countr_zero(filled_levels_));
  for (unsigned rest = filled_levels_ & (filled_levels_ - 1); rest != 0; rest &= rest - 1) {
    const auto level = static_cast<std::size_t>(std::countr_zero(rest));
    if (EffectiveArrival(*first_[level], level) < EffectiveArrival(*first_[next], next))
      next = level;
  }
  return next;
}

ClassificationTask& PriorityLane::PopFirst() {
  const std::size_t level = NextLevel();
  ClassificationTask& task = *first_[level];
  first_[level] = task.next_in_lane_;
  if (first_[level] == nullptr) filled_levels_ &= ~(1U << level);
  return task;
}

std::size_t PriorityLane::NextBatchImages(std::size_t max_images) const {
  PriorityLane ahead = *this;  // popping does not change the tasks
  std::size_t images = 0;
  do {
    images += ahead.PopFirst().images().num_images;
  } while (!ahead.empty() && images + ahead.First().images().num_images <= max_images);
  return images;
}

std::size_t PriorityLane::TakeBatch(std::size_t max_images,
                                    std::vector<ClassificationTask*>& batch) {
  std::size_t images = 0;
  do {
    batch.push_back(&PopFirst());
    images += batch.back()->images().num_images;
  } while (!empty() && images + First().images().num_images <= max_images);
  return images;
}

}  // namespace lipserve
