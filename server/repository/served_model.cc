// SPDX-License-Identifier: Apache-2.0
#include "server/repository/served_model.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "model/foundation/status_macros.h"

namespace lipserve {
namespace {

// A model file may hold any number of results, and each published one becomes a time series.
constexpr int kMaxPublishedEpsilons = 16;

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
    if (++published > kMaxPublishedEpsilons) return;
    metrics.SetTrainingCertifiedAccuracy(epsilon, result.value());
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<const ServedModel>> ServedModel::Load(
    const std::string& name, std::int64_t version, FrozenModel frozen, std::size_t max_batch,
    Metrics& metrics, const Clock& clock, const CertifiedModel::Limits& limits) {
  const Clock::TimePoint start = clock.Now();
  LIPSERVE_ASSIGN_OR_RETURN(std::shared_ptr<const CertifiedModel> certified,
                            CertifiedModel::Create(std::move(frozen), max_batch, limits));
  if (limits.stop()) return absl::CancelledError("stopped before the model was measured");
  std::shared_ptr<ServedModel> model(
      new ServedModel(name, version, std::move(certified), metrics.ForModel(name, version)));
  model->MeasureTimes(max_batch);
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
      metrics_(std::move(metrics)) {
  if (frozen().TakesPixels()) pixel_scaling_.emplace(frozen().pixel_divisor);
}

void ServedModel::MeasureTimes(std::size_t max_batch) {
  std::vector<float> inputs(max_batch * input_size());
  std::mt19937 random(1);
  std::uniform_real_distribution<float> pixel(0.0F, 1.0F);
  for (float& input : inputs) input = pixel(random);
  std::vector<Answer> answers(max_batch);
  const auto compute = [&](std::size_t images) {
    ClassifyByFloatingPoint({inputs.data(), images, input_size()}, std::span(answers).first(images),
                            RadiusPrecision::kTight);
  };
  batch_times_ = MeasureBatchTimes(max_batch, compute, ThreadCpuClock());
  SetBatchLimit(std::nullopt);
  exact_time_.store(100 * time_per_image().count(), std::memory_order_relaxed);
  if (max_batch == 1) return;
  const auto further = static_cast<std::int64_t>(max_batch - 1);
  time_per_extra_image_ = std::max((batch_times_.back().time - time_per_image()) / further,
                                   std::chrono::nanoseconds(0));
}

void ServedModel::SetBatchLimit(std::optional<std::size_t> max_images) const {
  const std::size_t limit =
      std::min(max_images.value_or(ChooseBatchLimit(batch_times_)), batch_times_.back().images);
  batch_limit_.store(limit, std::memory_order_relaxed);
  metrics_->SetBatchLimit(limit);
}

void ServedModel::SetQueueLimits(std::size_t capacity, int default_priority) const {
  queue_capacity_.store(capacity, std::memory_order_relaxed);
  default_priority_.store(default_priority, std::memory_order_relaxed);
  metrics_->SetQueueCapacity(capacity);
}

void ServedModel::ClassifyByFloatingPoint(ConstMatrixView inputs, std::span<Answer> answers,
                                          RadiusPrecision precision) const {
  CertifiedModel::WorkerHandle worker = TakeWorker();
  certified_->ClassifyByFloatingPoint(inputs, *worker, answers, precision);
  ReturnWorker(std::move(worker));
}

bool ServedModel::ClassifyExactly(std::span<const float> input, Answer& answer,
                                  const StopCheck& stop) const {
  CertifiedModel::WorkerHandle worker = TakeWorker();
  const bool is_decided = certified_->ClassifyExactly(input, *worker, answer, stop);
  ReturnWorker(std::move(worker));
  return is_decided;
}

CertifiedModel::WorkerHandle ServedModel::TakeWorker() const {
  {
    MutexLock lock(mutex_);
    if (!idle_workers_.empty()) {
      CertifiedModel::WorkerHandle worker = std::move(idle_workers_.back());
      idle_workers_.pop_back();
      return worker;
    }
  }
  return certified_->NewWorker();
}

void ServedModel::ReturnWorker(CertifiedModel::WorkerHandle worker) const {
  MutexLock lock(mutex_);
  idle_workers_.push_back(std::move(worker));
}

}  // namespace lipserve
