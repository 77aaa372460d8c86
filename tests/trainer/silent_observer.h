// SPDX-License-Identifier: Apache-2.0
// An observer of trainings of which nobody wants to hear.
#ifndef TESTS_TRAINER_SILENT_OBSERVER_H_
#define TESTS_TRAINER_SILENT_OBSERVER_H_

#include <cstdint>

#include "trainer/training/training_loop.h"

namespace lipserve::trainer {

class SilentObserver : public TrainingObserver {
 public:
  void OnEpochBegin(std::int64_t, std::int64_t, std::int64_t) override {}
  void OnStep(std::int64_t, const MetricMeans&) override {}
  void OnEpochEnd(const v1::EpochRecord&) override {}
};

}  // namespace lipserve::trainer

#endif  // TESTS_TRAINER_SILENT_OBSERVER_H_
