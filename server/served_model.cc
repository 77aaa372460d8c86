// SPDX-License-Identifier: Apache-2.0
#include "server/served_model.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "model/status_macros.h"

namespace lipserve {
namespace {

// A model file may hold any number of results; each one published becomes a time series.
constexpr int kMostPublishedEpsilons = 16;

// Publishes the results that the trainer names "certified_accuracy@EPSILON".
void PublishTrainingResults(const FrozenModel& frozen, ModelMetrics& metrics) {
  int published = 0;
  for (const v1::NamedValue& result : frozen.training.results()) {
    absl::string_view text = result.name();
    double epsilon = 0.0;
    if (!absl::ConsumePrefix(&text, "certified_accuracy@") || !absl::SimpleAtod(text, &epsilon) ||
        !(epsilon >= 0.0) || !(result.value() >= 0.0 && result.value() <= 1.0)) {
      continue;
    }
    if (++published > kMostPublishedEpsilons) return;
    metrics.SetTrainingCertifiedAccuracy(epsilon, result.value());
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<const ServedModel>> ServedModel::Load(
    const std::string& name, std::int64_t version, FrozenModel frozen, std::size_t max_batch,
    Metrics& metrics, const Clock& clock) {
  const Clock::TimePoint start = clock.Now();
  LIPSERVE_ASSIGN_OR_RETURN(std::shared_ptr<const CertifiedModel> certified,
                            CertifiedModel::Create(std::move(frozen), max_batch));
  std::shared_ptr<ServedModel> model(
      new ServedModel(name, version, std::move(certified), metrics.ForModel(name, version)));
  model->MeasureTimes(max_batch, clock);
  PublishTrainingResults(model->frozen(), model->metrics());
  model->metrics().SetLoaded(SecondsBetween(start, clock.Now()));
  return model;
}

ServedModel::ServedModel(std::string name, std::int64_t version,
                         std::shared_ptr<const CertifiedModel> certified,
                         std::shared_ptr<ModelMetrics> metrics)
    : name_(std::move(name)),
      version_(version),
      certified_(std::move(certified)),
      pixel_scaling_(certified_->frozen().pixel_divisor),
      metrics_(std::move(metrics)) {}

void ServedModel::MeasureTimes(std::size_t max_batch, const Clock& clock) {
  constexpr int kRuns = 5;  // the fastest counts: the first touches cold memory
  const std::vector<float> inputs(max_batch * input_size());
  std::vector<Answer> answers(max_batch);
  const auto measure = [&](std::size_t images) {
    auto fastest = std::chrono::nanoseconds::max();
    for (int run = 0; run < kRuns; ++run) {
      const Clock::TimePoint start = clock.Now();
      Classify({inputs.data(), images, input_size()}, std::span(answers).first(images),
               RadiusPrecision::kTight);
      fastest = std::min(fastest, std::chrono::nanoseconds(clock.Now() - start));
    }
    return fastest;
  };
  time_per_image_ = std::max(measure(1), std::chrono::nanoseconds(1));
  if (max_batch == 1) return;
  const auto further = static_cast<std::int64_t>(max_batch - 1);
  time_per_further_image_ =
      std::max((measure(max_batch) - time_per_image_) / further, std::chrono::nanoseconds(0));
}

void ServedModel::Classify(ConstMatrixView inputs, std::span<Answer> answers,
                           RadiusPrecision precision) const {
  CertifiedModel::WorkerHandle worker;
  {
    MutexLock lock(mutex_);
    if (!idle_workers_.empty()) {
      worker = std::move(idle_workers_.back());
      idle_workers_.pop_back();
    }
  }
  if (worker == nullptr) worker = certified_->NewWorker();
  certified_->Classify(inputs, *worker, answers, precision);
  MutexLock lock(mutex_);
  idle_workers_.push_back(std::move(worker));
}

}  // namespace lipserve
