// SPDX-License-Identifier: Apache-2.0
// Prints the progress of training: a bar per epoch on a terminal, a line per epoch elsewhere, or a
// JSON object per epoch for programs.
#ifndef TRAINER_RUN_PROGRESS_H_
#define TRAINER_RUN_PROGRESS_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <vector>

#include "trainer/training/training_loop.h"

namespace lipserve::trainer {

// Returns the time. Passed in so that tests can control it.
using Clock = std::function<std::chrono::steady_clock::time_point()>;

// Columns of the terminal at this moment; 0 where nothing limits a line.
using Columns = std::function<std::size_t()>;

enum class ProgressStyle {
  kBar,    // Keras's bar, redrawn in place at most 20 times a second, no wider than the terminal
  kLines,  // "Epoch 1/10 - 0.05s - loss: -1.6675 - ..."
  kJson,   // {"event":"epoch","epoch":1,"epochs":10,"seconds":0.05,"loss":-1.6675,...}
};

// Writes progress and measures the time of each epoch.
class Progress : public TrainingObserver {
 public:
  // `out` outlives it. Only kBar asks for `columns`, before each line.
  static std::unique_ptr<Progress> Create(
      ProgressStyle style, std::ostream& out, Clock clock,
      Columns columns = [] { return std::size_t{0}; });

  void OnEpochBegin(std::int64_t epoch, std::int64_t epochs, std::int64_t steps) final;
  void OnStep(std::int64_t step, const MetricMeans& means) final;
  void OnEpochEnd(const v1::EpochRecord& record) final;

  // Seconds of the epochs seen, validation included.
  const std::vector<double>& epoch_seconds() const { return epoch_seconds_; }

 protected:
  struct Epoch {
    std::int64_t number = 0;
    std::int64_t epochs = 0;
    std::int64_t steps = 0;
  };

  Progress(std::ostream& out, Clock clock) : out_(out), clock_(std::move(clock)) {}

  virtual void Begin(const Epoch&) {}
  virtual void Step(const Epoch&, std::int64_t, double /*seconds*/, const MetricMeans&) {}
  virtual void End(const Epoch& epoch, double seconds, const v1::EpochRecord& record) = 0;

  std::ostream& out_;

 private:
  double SecondsSinceBegin() const;

  const Clock clock_;
  Epoch epoch_;
  std::chrono::steady_clock::time_point begin_;
  std::vector<double> epoch_seconds_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_RUN_PROGRESS_H_
