// SPDX-License-Identifier: Apache-2.0
#include "trainer/training/training_loop.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/certificate/pixel_scaling.h"
#include "model/status_macros.h"
#include "trainer/data/shuffle.h"
#include "trainer/losses/make_loss.h"

namespace lipserve::trainer {
namespace {

absl::Status CheckClassCount(const TrainableNetwork& network, const Dataset& dataset) {
  const std::size_t scores = network.num_scores();
  const std::size_t classes = dataset.train.class_names.size();
  if (std::max<std::size_t>(scores, 2) == classes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("recipe: layers: expected the last layer to have ",
                   classes == 2 ? std::string("1 unit, or 2,") : absl::StrCat(classes, " units"),
                   " for the ", classes, " classes of the data, got ", scores));
}

absl::Status NotFinite(const std::string& place, double loss, const v1::Recipe& recipe) {
  return absl::FailedPreconditionError(absl::StrCat(
      place, ": the loss is ", loss, ", expected a finite number: training diverged; lower ",
      "optimizer.adam.learning_rate (now ", recipe.optimizer().adam().learning_rate(), ")"));
}

void AppendMetrics(const std::vector<Metric>& metrics, v1::EpochRecord& record) {
  for (const Metric& metric : metrics) {
    v1::NamedValue& value = *record.add_metrics();
    value.set_name(metric.name);
    value.set_value(metric.value);
  }
}

}  // namespace

TrainingLoop::TrainingLoop(const v1::Recipe& recipe, const Dataset& dataset)
    : recipe_(recipe),
      dataset_(dataset),
      train_stream_(dataset.train, PixelScaling(recipe.dataset().pixel_divisor()),
                    static_cast<std::size_t>(recipe.batch_size())),
      validation_stream_(dataset.validation, PixelScaling(recipe.dataset().pixel_divisor()),
                         static_cast<std::size_t>(recipe.batch_size())) {}

absl::StatusOr<std::unique_ptr<TrainingLoop>> TrainingLoop::Create(const v1::Recipe& recipe,
                                                                   const Dataset& dataset) {
  std::unique_ptr<TrainingLoop> loop(new TrainingLoop(recipe, dataset));
  LIPSERVE_ASSIGN_OR_RETURN(loop->network_,
                            TrainableNetwork::Create(recipe, dataset.train.shape, recipe.seed()));
  LIPSERVE_RETURN_IF_ERROR(CheckClassCount(*loop->network_, dataset));
  LIPSERVE_ASSIGN_OR_RETURN(loop->loss_, MakeLoss(recipe.loss(), loop->network_->num_scores()));
  LIPSERVE_ASSIGN_OR_RETURN(loop->optimizer_,
                            MakeOptimizer(recipe.optimizer(), loop->network_->Parameters(),
                                          loop->network_->ParameterNames()));
  return loop;
}

absl::Status TrainingLoop::RunEpoch(TrainingObserver& observer) {
  assert(!finished());
  v1::EpochRecord record;
  record.set_epoch(epochs_done() + 1);
  LIPSERVE_ASSIGN_OR_RETURN(const MetricMeans train, TrainOneEpoch(record.epoch(), observer));
  LIPSERVE_ASSIGN_OR_RETURN(const MetricMeans validation, Validate(record.epoch()));
  AppendMetrics(train.Means(""), record);
  AppendMetrics(validation.Means("val_"), record);
  observer.OnEpochEnd(record);
  history_.push_back(std::move(record));
  return absl::OkStatus();
}

absl::StatusOr<MetricMeans> TrainingLoop::TrainOneEpoch(std::int64_t epoch,
                                                        TrainingObserver& observer) {
  const std::size_t samples = dataset_.train.size();
  const auto batch_size = static_cast<std::size_t>(recipe_.batch_size());
  observer.OnEpochBegin(epoch, recipe_.epochs(),
                        static_cast<std::int64_t>((samples + batch_size - 1) / batch_size));
  train_stream_.Begin(ShuffledOrder(samples, recipe_.seed(), epoch));
  MetricMeans means;
  std::int64_t step = 0;
  while (const Minibatch* batch = train_stream_.Next()) {
    ++step;
    network_->PrepareStep(/*training=*/true);
    const ConstMatrixView scores = network_->Forward(batch->inputs());
    const LossGradient gradient = GradientFor(scores);
    loss_->Observe(scores);
    const double loss = loss_->Evaluate({scores, batch->labels, network_->head()}, gradient);
    if (!std::isfinite(loss)) {
      return NotFinite(absl::StrCat("epoch ", epoch, ", step ", step), loss, recipe_);
    }
    means.Add(loss, batch->size(), loss_->Metrics(scores, batch->labels));
    network_->Backward(gradient.scores, gradient.head);
    optimizer_->Step();
    observer.OnStep(step, means);
  }
  return means;
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
    const ConstMatrixView scores = network_->Forward(batch->inputs());
    const double loss = loss_->Evaluate({scores, batch->labels, network_->head()}, {});
    if (!std::isfinite(loss)) {
      return NotFinite(absl::StrCat("epoch ", epoch, ", validation"), loss, recipe_);
    }
    means.Add(loss, batch->size(), loss_->Metrics(scores, batch->labels));
  }
  return means;
}

std::vector<NamedArrayReference> TrainingLoop::Arrays() {
  std::vector<NamedArrayReference> arrays;
  for (std::size_t i = 0; i < network_->layers().size(); ++i) {
    Layer& layer = *network_->layers()[i];
    for (Parameter& parameter : layer.parameters()) {
      arrays.push_back({absl::StrCat("layer", i, ".", parameter.name), &parameter.values});
    }
    for (State& state : layer.states()) {
      arrays.push_back({absl::StrCat("layer", i, ".", state.name), &state.values});
    }
  }
  for (State& state : loss_->states()) {
    arrays.push_back({absl::StrCat("loss.", state.name), &state.values});
  }
  for (State& state : optimizer_->states()) arrays.push_back({state.name, &state.values});
  return arrays;
}

}  // namespace lipserve::trainer
