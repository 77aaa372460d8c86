// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/training_loop.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "model/network/pixel_scaling.h"
#include "trainer/data/mean_image.h"
#include "trainer/data/shuffle.h"
#include "trainer/losses/certified_estimates.h"
#include "trainer/losses/make_loss.h"
#include "trainer/optimizers/make_optimizer.h"
#include "trainer/training/centred_inputs.h"
#include "trainer/training/prototype_start.h"

namespace lipserve::trainer {
namespace {

absl::Status CheckClassCount(TrainableNetwork& network, const Dataset& dataset) {
  const std::size_t classes = dataset.train.class_names.size();
  if (network.num_classes() == classes) return absl::OkStatus();
  if (network.prototypes() != nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("recipe: layers: nearest_prototype.classes: expected ", classes,
                     ", the classes of the data, got ", network.num_classes()));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("recipe: layers: expected the last layer to have ",
                   classes == 2 ? std::string("1 unit, or 2,") : absl::StrCat(classes, " units"),
                   " for the ", classes, " classes of the data, got ", network.num_scores()));
}

// Checks that a loss which assumes inputs in [0, 1] gets such inputs.
absl::Status CheckUnitBox(const v1::Recipe& recipe, const TrainableNetwork& network) {
  if (!recipe.loss().prototype_margin().inputs_in_unit_box()) return absl::OkStatus();
  const auto expected = [](const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat("recipe: loss.prototype_margin.inputs_in_unit_box: expected ", what));
  };
  if (recipe.center_inputs()) return expected("inputs that are not centred, got center_inputs");
  if (recipe.dataset().pixel_divisor() != 255.0) {
    return expected(
        absl::StrCat("dataset.pixel_divisor 255, got ", recipe.dataset().pixel_divisor()));
  }
  for (std::size_t i = 0; i + 1 < network.layers().size(); ++i) {
    if (network.layers()[i]->IsView()) continue;
    return expected(absl::StrCat("nothing but flatten before nearest_prototype, got layers[", i,
                                 "], ", network.layers()[i]->type()));
  }
  return absl::OkStatus();
}

absl::Status NotFinite(const std::string& place, double loss, const v1::Recipe& recipe) {
  return absl::FailedPreconditionError(
      absl::StrCat(place, ": the loss is ", loss, ", expected a finite number: training diverged; ",
                   "lower ", DescribeLearningRate(recipe.optimizer())));
}

void AppendMetrics(const std::vector<Metric>& metrics, v1::EpochRecord& record) {
  for (const Metric& metric : metrics) {
    v1::NamedValue& value = *record.add_metrics();
    value.set_name(metric.name);
    value.set_value(metric.value);
  }
}

}  // namespace

TrainingLoop::TrainingLoop(const v1::Recipe& recipe, const Dataset& dataset,
                           std::unique_ptr<Augmenter> augmenter)
    : recipe_(recipe),
      dataset_(dataset),
      input_mean_(recipe.center_inputs()
                      ? MeanImage(dataset.train, PixelScaling(recipe.dataset().pixel_divisor()))
                      : std::vector<float>()),
      train_stream_(dataset.train, PixelScaling(recipe.dataset().pixel_divisor()),
                    static_cast<std::size_t>(recipe.batch_size()), input_mean_,
                    std::move(augmenter)),
      validation_stream_(dataset.validation, PixelScaling(recipe.dataset().pixel_divisor()),
                         static_cast<std::size_t>(recipe.batch_size()), input_mean_) {}

absl::StatusOr<std::unique_ptr<TrainingLoop>> TrainingLoop::Create(const v1::Recipe& recipe,
                                                                   const Dataset& dataset) {
  std::unique_ptr<Augmenter> augmenter;
  if (recipe.has_augmentation()) {
    LIPSERVE_ASSIGN_OR_RETURN(
        augmenter, Augmenter::Create(recipe.augmentation(), dataset.train.shape, recipe.seed()));
  }
  std::unique_ptr<TrainingLoop> loop(new TrainingLoop(recipe, dataset, std::move(augmenter)));
  LIPSERVE_RETURN_IF_ERROR(loop->MakeParts());
  return loop;
}

absl::Status TrainingLoop::MakeParts() {
  LIPSERVE_ASSIGN_OR_RETURN(
      network_, TrainableNetwork::Create(recipe_, dataset_.train.shape, recipe_.seed()));
  LIPSERVE_RETURN_IF_ERROR(CheckClassCount(*network_, dataset_));
  if (recipe_.center_inputs()) LIPSERVE_RETURN_IF_ERROR(CheckCanTakeMean(*network_));
  const std::size_t prototypes =
      network_->prototypes() == nullptr ? 0 : network_->scores_per_class();
  LIPSERVE_ASSIGN_OR_RETURN(loss_, MakeLoss(recipe_.loss(), network_->num_scores(), prototypes));
  LIPSERVE_RETURN_IF_ERROR(CheckUnitBox(recipe_, *network_));
  if (prototypes > 0) {
    LIPSERVE_RETURN_IF_ERROR(StartPrototypes(recipe_, dataset_.train, input_mean_, *network_));
  }
  LIPSERVE_ASSIGN_OR_RETURN(optimizer_, MakeOptimizer(recipe_.optimizer(), network_->Parameters(),
                                                      network_->ParameterNames()));
  const Schedule::Run run{recipe_.epochs() * steps_per_epoch(), recipe_.epochs()};
  LIPSERVE_ASSIGN_OR_RETURN(scheduled_numbers_, ScheduledNumbers::Create(recipe_, run, *loss_));
  validation_epsilons_.assign(recipe_.validation_epsilons().begin(),
                              recipe_.validation_epsilons().end());
  const double decay = recipe_.optimizer().weight_average_decay();
  if (decay > 0.0) average_.emplace(decay, network_->Parameters(), network_->ParameterNames());
  if (!recipe_.has_selection()) return absl::OkStatus();
  LIPSERVE_ASSIGN_OR_RETURN(selection_,
                            Selection::Create(recipe_.selection(), ValidationMetricNames()));
  best_.emplace("best", *network_);
  return absl::OkStatus();
}

std::int64_t TrainingLoop::steps_per_epoch() const {
  const auto samples = static_cast<std::int64_t>(dataset_.train.size());
  return (samples + recipe_.batch_size() - 1) / recipe_.batch_size();
}

std::vector<std::string> TrainingLoop::ValidationMetricNames() const {
  const std::vector<float> scores(network_->num_scores());
  const std::vector<std::int32_t> labels = {0};
  std::vector<std::string> names = {"val_loss"};
  for (const Metric& metric : loss_->Metrics({scores.data(), 1, scores.size()}, labels)) {
    names.push_back("val_" + metric.name);
  }
  for (const double epsilon : validation_epsilons_) {
    names.push_back("val_" + CertifiedEstimateName(epsilon));
  }
  return names;
}

absl::Status TrainingLoop::RunEpoch(TrainingObserver& observer) {
  assert(!finished() && !result_installed_);
  v1::EpochRecord record;
  record.set_epoch(epochs_done() + 1);
  LIPSERVE_ASSIGN_OR_RETURN(const MetricMeans train, TrainOneEpoch(record.epoch(), observer));
  if (average_) average_->Swap();
  LIPSERVE_ASSIGN_OR_RETURN(const MetricMeans validation, Validate(record.epoch()));
  AppendMetrics(train.Means(""), record);
  AppendMetrics(validation.Means("val_"), record);
  observer.OnEpochEnd(record);
  history_.push_back(std::move(record));
  if (selection_ && selection_->Best(history_) + 1 == history_.size()) best_->Take();
  if (average_) average_->Swap();
  return absl::OkStatus();
}

bool TrainingLoop::stopped_early() const {
  return selection_ && epochs_done() < recipe_.epochs() && selection_->ShouldStop(history_);
}

const v1::EpochRecord& TrainingLoop::result_record() const {
  assert(!history_.empty());
  return selection_ ? history_[selection_->Best(history_)] : history_.back();
}

void TrainingLoop::InstallResult() {
  if (result_installed_) return;
  result_installed_ = true;
  if (best_) {
    best_->Restore();
  } else if (average_) {
    average_->Swap();
  }
}

absl::StatusOr<MetricMeans> TrainingLoop::TrainOneEpoch(std::int64_t epoch,
                                                        TrainingObserver& observer) {
  observer.OnEpochBegin(epoch, recipe_.epochs(), steps_per_epoch());
  train_stream_.Begin(ShuffledOrder(dataset_.train.size(), recipe_.seed(), epoch), epoch);
  MetricMeans means;
  std::int64_t step = 0;
  while (const Minibatch* batch = train_stream_.Next()) {
    ++step;
    const double loss = TrainOneStep(*batch, means);
    if (!std::isfinite(loss)) {
      return NotFinite(absl::StrCat("epoch ", epoch, ", step ", step), loss, recipe_);
    }
    observer.OnStep(step, means);
  }
  return means;
}

double TrainingLoop::TrainOneStep(const Minibatch& batch, MetricMeans& means) {
  scheduled_numbers_.SetForStep(optimizer_->steps, *optimizer_);
  network_->PrepareStep(/*training=*/true);
  const ConstMatrixView scores = network_->Forward(batch.inputs());
  const LossGradient gradient = GradientFor(scores);
  loss_->Observe(scores);
  const double loss = loss_->Evaluate(Scored(scores, batch.labels), gradient);
  if (!std::isfinite(loss)) return loss;
  means.Add(loss, batch.size(), loss_->Metrics(scores, batch.labels));
  network_->Backward(gradient.scores, gradient.head);
  optimizer_->Step();
  if (average_) average_->Update(optimizer_->steps);
  return loss;
}

ScoredBatch TrainingLoop::Scored(ConstMatrixView scores,
                                 std::span<const std::int32_t> labels) const {
  return {.scores = scores,
          .labels = labels,
          .head = network_->head(),
          .features = network_->features(),
          .scores_per_class = network_->scores_per_class()};
}

LossGradient TrainingLoop::GradientFor(ConstMatrixView scores) {
  score_gradient_.resize(scores.size());
  LossGradient gradient;
  gradient.scores = {score_gradient_.data(), scores.rows, scores.cols};
  if (loss_->UsesHead()) {
    const ConstMatrixView head = network_->head();
    head_gradient_.resize(head.size());
    gradient.head = {head_gradient_.data(), head.rows, head.cols};
  }
  return gradient;
}

absl::StatusOr<MetricMeans> TrainingLoop::Validate(std::int64_t epoch) {
  network_->PrepareStep(/*training=*/false);
  validation_stream_.Begin(FileOrder(dataset_.validation.size()));
  MetricMeans means;
  while (const Minibatch* batch = validation_stream_.Next()) {
    const double loss = ValidateBatch(*batch, means);
    if (!std::isfinite(loss)) {
      return NotFinite(absl::StrCat("epoch ", epoch, ", validation"), loss, recipe_);
    }
  }
  return means;
}

double TrainingLoop::ValidateBatch(const Minibatch& batch, MetricMeans& means) {
  const ConstMatrixView scores = network_->Forward(batch.inputs());
  const ScoredBatch scored = Scored(scores, batch.labels);
  const double loss = loss_->Evaluate(scored, {});
  if (!std::isfinite(loss)) return loss;
  std::vector<Metric> metrics = loss_->Metrics(scores, batch.labels);
  for (Metric& estimate : CertifiedEstimates(scored, validation_epsilons_)) {
    metrics.push_back(std::move(estimate));
  }
  means.Add(loss, batch.size(), metrics);
  return loss;
}

void TrainingLoop::ProfileSteps(std::int64_t steps, const std::function<void()>& after_step) {
  assert(steps >= 1);
  const std::vector<NamedArrayReference> arrays = Arrays();
  std::vector<std::vector<float>> before;
  for (const NamedArrayReference& array : arrays) before.push_back(*array.values);
  const std::int64_t steps_before = optimizer_->steps;
  std::vector<std::uint32_t> order =
      ShuffledOrder(dataset_.train.size(), recipe_.seed(), epochs_done() + 1);
  order.resize(std::min(order.size(), static_cast<std::size_t>(steps * recipe_.batch_size())));
  train_stream_.Begin(std::move(order), epochs_done() + 1);
  MetricMeans means;
  while (const Minibatch* batch = train_stream_.Next()) {
    TrainOneStep(*batch, means);
    after_step();
  }
  for (std::size_t i = 0; i < arrays.size(); ++i) *arrays[i].values = before[i];
  optimizer_->steps = steps_before;
}

void TrainingLoop::ProfileValidation(std::int64_t batches,
                                     const std::function<void()>& after_batch) {
  network_->PrepareStep(/*training=*/false);
  std::vector<std::uint32_t> order = FileOrder(dataset_.validation.size());
  order.resize(std::min(order.size(), static_cast<std::size_t>(batches * recipe_.batch_size())));
  validation_stream_.Begin(std::move(order));
  MetricMeans means;
  while (const Minibatch* batch = validation_stream_.Next()) {
    ValidateBatch(*batch, means);
    after_batch();
  }
}

std::vector<NamedArrayReference> TrainingLoop::Arrays() {
  std::vector<NamedArrayReference> arrays;
  for (const auto& [name, layer] : network_->named_layers()) {
    for (Parameter& parameter : layer->parameters()) {
      arrays.push_back({absl::StrCat(name, ".", parameter.name), &parameter.values});
    }
    for (State& state : layer->states()) {
      arrays.push_back({absl::StrCat(name, ".", state.name), &state.values});
    }
  }
  for (State& state : loss_->states()) {
    arrays.push_back({absl::StrCat("loss.", state.name), &state.values});
  }
  const auto append = [&arrays](State& state) { arrays.push_back({state.name, &state.values}); };
  for (State* state : optimizer_->states()) append(*state);
  if (average_) std::for_each(average_->states().begin(), average_->states().end(), append);
  if (best_) std::for_each(best_->states().begin(), best_->states().end(), append);
  return arrays;
}

}  // namespace lipserve::trainer
