// SPDX-License-Identifier: Apache-2.0
// The training loop: shuffled minibatches, forward, loss, backward, optimiser step; after each
// epoch the validation set, with the averaged weights if the recipe asks for them. Metrics follow
// Keras, so that they compare with published ones: metric_means.h says how they are averaged.
//
// Example:
//   LIPSERVE_ASSIGN_OR_RETURN(auto loop, TrainingLoop::Create(recipe, dataset));
//   while (!loop->finished()) LIPSERVE_RETURN_IF_ERROR(loop->RunEpoch(observer));
//   loop->InstallResult();
#ifndef TRAINER_TRAINING_TRAINING_LOOP_H_
#define TRAINER_TRAINING_TRAINING_LOOP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipserve/v1/checkpoint.pb.h"
#include "lipserve/v1/recipe.pb.h"
#include "trainer/data/dataset.h"
#include "trainer/data/minibatch_stream.h"
#include "trainer/losses/loss.h"
#include "trainer/network/trainable_network.h"
#include "trainer/optimizers/optimizer.h"
#include "trainer/training/metric_means.h"
#include "trainer/training/scheduled_numbers.h"
#include "trainer/training/selection.h"
#include "trainer/training/weight_average.h"
#include "trainer/training/weight_snapshot.h"

namespace lipserve::trainer {

// Callbacks for the progress of training. All calls come from the thread that trains.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  // `epoch` counts from 1.
  virtual void OnEpochBegin(std::int64_t epoch, std::int64_t epochs, std::int64_t steps) = 0;
  // After each step: `step` of this epoch, from 1, and the means so far.
  virtual void OnStep(std::int64_t step, const MetricMeans& means) = 0;
  // After validation: all metrics of the epoch.
  virtual void OnEpochEnd(const v1::EpochRecord& record) = 0;
};

// An array that a checkpoint must hold.
struct NamedArrayReference {
  std::string name;  // unique, e.g. "layer1.kernel"
  std::vector<float>* values = nullptr;
};

// A training run in memory.
//
// Guarantee: the state after an epoch depends only on recipe, dataset and the OpenMP team's size
//            (on one machine), and is held entirely by Arrays(), steps and history.
// Threads:   not thread-safe.
class TrainingLoop {
 public:
  // Requires: ValidateRecipe accepted the recipe; `dataset` outlives the loop.
  // Errors:   InvalidArgument naming the recipe's field, what was expected and found.
  static absl::StatusOr<std::unique_ptr<TrainingLoop>> Create(const v1::Recipe& recipe,
                                                              const Dataset& dataset);

  // Trains one epoch, validates and appends to history().
  //
  // Requires: !finished().
  // Errors:   FailedPrecondition if a loss is not finite. The loop must then not be used further.
  absl::Status RunEpoch(TrainingObserver& observer);

  // Measures the speed of training: runs the first `steps` steps of the next epoch, or all that it
  // has, and calls `after_step` after each. Then restores what they changed, so that no byte of the
  // run depends on it.
  //
  // Requires: !finished(); steps >= 1.
  void ProfileSteps(std::int64_t steps, const std::function<void()>& after_step);

  // The same for the first `batches` of validation, which change no state.
  void ProfileValidation(std::int64_t batches, const std::function<void()>& after_batch);

  // Whether all epochs are done, or the recipe's selection has stopped the run early.
  bool finished() const { return epochs_done() >= recipe_.epochs() || stopped_early(); }
  bool stopped_early() const;
  std::int64_t epochs_done() const { return static_cast<std::int64_t>(history_.size()); }
  const std::vector<v1::EpochRecord>& history() const { return history_; }
  std::int64_t steps_per_epoch() const;

  const v1::Recipe& recipe() const { return recipe_; }
  const Dataset& dataset() const { return dataset_; }
  // The mean image that is subtracted from every input, or empty.
  const std::vector<float>& input_mean() const { return input_mean_; }
  TrainableNetwork& network() { return *network_; }
  const TrainableNetwork& network() const { return *network_; }
  Loss& loss() { return *loss_; }
  Optimizer& optimizer() { return *optimizer_; }
  const ScheduledNumbers& scheduled_numbers() const { return scheduled_numbers_; }
  const std::optional<Selection>& selection() const { return selection_; }
  // The names that validation gives its metrics.
  std::vector<std::string> ValidationMetricNames() const;

  // The epoch whose weights become the model: the best by the recipe's selection, or the last.
  // Requires: epochs_done() >= 1.
  const v1::EpochRecord& result_record() const;

  // Copies the run's resulting weights into the network: those validated in result_record()'s
  // epoch. Training cannot continue afterwards. A second call does nothing.
  void InstallResult();

  // Every array of the network, the loss, the optimiser and the kept weights, in a fixed order.
  std::vector<NamedArrayReference> Arrays();

  // Sets the history of a resumed run. The caller restores Arrays() and optimizer().steps.
  void RestoreHistory(std::vector<v1::EpochRecord> history) { history_ = std::move(history); }

 private:
  TrainingLoop(const v1::Recipe& recipe, const Dataset& dataset,
               std::unique_ptr<Augmenter> augmenter);

  absl::Status MakeParts();
  // The input of the loss for a batch that the network has just scored.
  ScoredBatch Scored(ConstMatrixView scores, std::span<const std::int32_t> labels) const;
  // Where the loss of a batch with these scores writes its gradients.
  LossGradient GradientFor(ConstMatrixView scores);
  absl::StatusOr<MetricMeans> TrainOneEpoch(std::int64_t epoch, TrainingObserver& observer);
  // Each returns the loss. If that is not finite, nothing else was done.
  double TrainOneStep(const Minibatch& batch, MetricMeans& means);
  double ValidateBatch(const Minibatch& batch, MetricMeans& means);
  absl::StatusOr<MetricMeans> Validate(std::int64_t epoch);

  const v1::Recipe recipe_;
  const Dataset& dataset_;
  const std::vector<float> input_mean_;
  std::unique_ptr<TrainableNetwork> network_;
  std::unique_ptr<Loss> loss_;
  std::unique_ptr<Optimizer> optimizer_;
  ScheduledNumbers scheduled_numbers_;
  std::vector<double> validation_epsilons_;
  std::optional<WeightAverage> average_;
  std::optional<Selection> selection_;
  std::optional<WeightSnapshot> best_;  // with selection_
  bool result_installed_ = false;
  std::vector<v1::EpochRecord> history_;
  std::vector<float> score_gradient_;
  std::vector<float> head_gradient_;
  MinibatchStream train_stream_;
  MinibatchStream validation_stream_;
};

}  // namespace lipserve::trainer

#endif  // TRAINER_TRAINING_TRAINING_LOOP_H_
