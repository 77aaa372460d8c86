// SPDX-License-Identifier: Apache-2.0
// Two observers of one training run.
#ifndef TRAINER_RUN_OBSERVER_PAIR_H_
#define TRAINER_RUN_OBSERVER_PAIR_H_

#include <cstdint>

#include "trainer/training/training_loop.h"

namespace lipserve::trainer {

// Calls the first, then the second. Both outlive this.
class ObserverPair final : public TrainingObserver {
 public:
  ObserverPair(TrainingObserver& first, TrainingObserver& second)
      : first_(first), second_(second) {}

  void OnEpochBegin(std::int64_t epoch, std::int64_t epochs, std::int64_t steps) override {
    first_.OnEpochBegin(epoch, epochs, steps);
    second_.OnEpochBegin(epoch, epochs, steps);
  }
  void OnStep(std::int64_t step, const MetricMeans& means) override {
    first_.OnStep(step, means);
    second_.OnStep(step, means);
  }
  void OnEpochEnd(const v1::EpochRecord& record) override {
    first_.OnEpochEnd(record);
    second_.OnEpochEnd(record);
  }

 private:
  TrainingObserver& first_;
  TrainingObserver& second_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_OBSERVER_PAIR_H_
