// SPDX-License-Identifier: Apache-2.0
#include "server/operations/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <atomic>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/foundation/mutex.h"
#include "server/operations/process_statistics.h"

namespace lipserve {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;

constexpr std::size_t kNumCodes = 17;  // of absl::StatusCode, whose values are gRPC's

// One microsecond to 2.5 seconds: answers take tens of microseconds, a queue may take seconds.
const Histogram::BucketBoundaries kDurationSeconds = {
    1e-6,   2.5e-6, 5e-6, 1e-5,   2.5e-5, 5e-5, 1e-4,   2.5e-4, 5e-4, 1e-3,
    2.5e-3, 5e-3,   1e-2, 2.5e-2, 5e-2,   1e-1, 2.5e-1, 5e-1,   1.0,  2.5};
const Histogram::BucketBoundaries kBatchImages = {1, 2, 4, 8, 16, 32, 64, 128, 256};
// The first bucket holds the abstentions, whose radius is exactly 0. The other bounds include the
// radii at which certified accuracies are published: 36, 72 and 108 of 255, 0.25, 0.5, 1, 1.58 and
// 2.
const Histogram::BucketBoundaries kRadiusL2 = {
    0,   0.01, 0.02, 0.05, 0.1, 36.0 / 255, 0.2, 0.25, 72.0 / 255, 0.35, 108.0 / 255, 0.5,  0.75,
    1.0, 1.25, 1.58, 2.0,  2.5, 3.0,        4.0, 5.0,  10.0,       20.0, 50.0,        100.0};

bool IsClassification(RpcMethod method) {
  return method == RpcMethod::kClassify || method == RpcMethod::kClassifyStream ||
         method == RpcMethod::kModelInfer || method == RpcMethod::kModelStreamInfer;
}

// Why a request to classify was not computed; null if it was computed, or if the server failed.
const char* RejectionReason(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return "invalid";
    case absl::StatusCode::kNotFound:
      return "not_found";
    case absl::StatusCode::kPermissionDenied:
      return "denied";
    case absl::StatusCode::kResourceExhausted:
      return "queue_full";
    case absl::StatusCode::kDeadlineExceeded:
      return "deadline";
    case absl::StatusCode::kCancelled:
      return "cancelled";
    case absl::StatusCode::kUnavailable:
      return "unavailable";
    default:
      return nullptr;
  }
}

std::string CodeLabel(absl::StatusCode code) {
  return code == absl::StatusCode::kOk ? "OK" : absl::StatusCodeToString(code);
}

Labels WithLabel(Labels labels, const std::string& key, const std::string& value) {
  labels[key] = value;
  return labels;
}

template <typename Metric, typename Builder>
Family<Metric>& BuildFamily(prometheus::Registry& registry, Builder builder, const char* name,
                            const char* help) {
  return builder.Name(name).Help(help).Register(registry);
}

Family<Counter>& CounterFamily(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildFamily<Counter>(registry, prometheus::BuildCounter(), name, help);
}

Family<Gauge>& GaugeFamily(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildFamily<Gauge>(registry, prometheus::BuildGauge(), name, help);
}

Family<Histogram>& HistogramFamily(prometheus::Registry& registry, const char* name,
                                   const char* help) {
  return BuildFamily<Histogram>(registry, prometheus::BuildHistogram(), name, help);
}

// The metric families whose series carry a model label.
struct ModelFamilies {
  explicit ModelFamilies(prometheus::Registry& registry)
      : requests(CounterFamily(registry, "lipserve_requests_total",
                               "Answered calls, and requests of streams, by method and gRPC status "
                               "code.")),
        rejected(CounterFamily(registry, "lipserve_rejected_total",
                               "Requests to classify that were answered without being computed.")),
        certified(CounterFamily(registry, "lipserve_certified_total",
                                "Images by outcome: certified (radius above 0) or abstain.")),
        decided(CounterFamily(registry, "lipserve_decided_total",
                              "Images by the arithmetic that proved their class.")),
        disagreements(CounterFamily(registry, "lipserve_stage_disagreements_total",
                                    "Images on which two arithmetics contradict each other, so "
                                    "that none of it was certified: a bug or broken hardware. "
                                    "Alert on it.")),
        request_duration(HistogramFamily(registry, "lipserve_request_duration_seconds",
                                         "Requests to classify: from the whole request read to its "
                                         "answer handed to gRPC.")),
        queue_duration(HistogramFamily(registry, "lipserve_queue_duration_seconds",
                                       "From arrival to the start of the request's batch.")),
        compute_duration(HistogramFamily(registry, "lipserve_compute_duration_seconds",
                                         "Classifying and certifying one batch.")),
        batch_size(HistogramFamily(registry, "lipserve_batch_size", "Images per batch.")),
        radius(HistogramFamily(registry, "lipserve_certified_radius",
                               "Certified L2 radius per image, in units of the network's input.")),
        loaded(GaugeFamily(registry, "lipserve_model_loaded", "1 for each served version.")),
        load_duration(GaugeFamily(registry, "lipserve_model_load_duration_seconds",
                                  "Time to prove, prepare and warm the version.")),
        batch_limit(GaugeFamily(registry, "lipserve_model_batch_limit",
                                "Most images that are computed together: measured when loading, "
                                "or as configured.")),
        queue_depth(GaugeFamily(registry, "lipserve_model_queue_depth",
                                "Images that wait for the version.")),
        queue_capacity(GaugeFamily(registry, "lipserve_model_queue_capacity",
                                   "Images that may wait for the version; more are refused.")),
        file_differs(GaugeFamily(registry, "lipserve_model_file_differs",
                                 "1 if the file of a served version was changed or removed. What "
                                 "serves is not disturbed; a restart would be.")),
        training_accuracy(GaugeFamily(registry, "lipserve_model_training_certified_accuracy_ratio",
                                      "Share of the test images that were right and certified at "
                                      "epsilon when the model was trained.")) {}

  Family<Counter>& requests;
  Family<Counter>& rejected;
  Family<Counter>& certified;
  Family<Counter>& decided;
  Family<Counter>& disagreements;
  Family<Histogram>& request_duration;
  Family<Histogram>& queue_duration;
  Family<Histogram>& compute_duration;
  Family<Histogram>& batch_size;
  Family<Histogram>& radius;
  Family<Gauge>& loaded;
  Family<Gauge>& load_duration;
  Family<Gauge>& batch_limit;
  Family<Gauge>& queue_depth;
  Family<Gauge>& queue_capacity;
  Family<Gauge>& file_differs;
  Family<Gauge>& training_accuracy;
};

// Series that exist for every served model. Calls without a model have none of them.
struct ServedSeries {
  ServedSeries(ModelFamilies& families, const Labels& labels)
      : certified(families.certified.Add(WithLabel(labels, "outcome", "certified"))),
        abstained(families.certified.Add(WithLabel(labels, "outcome", "abstain"))),
        by_float32(families.decided.Add(WithLabel(labels, "by", "float32"))),
        by_float64(families.decided.Add(WithLabel(labels, "by", "float64"))),
        by_exact(families.decided.Add(WithLabel(labels, "by", "exact"))),
        disagreements(families.disagreements.Add(labels)),
        request_duration(families.request_duration.Add(labels, kDurationSeconds)),
        queue_duration(families.queue_duration.Add(labels, kDurationSeconds)),
        compute_duration(families.compute_duration.Add(labels, kDurationSeconds)),
        batch_size(families.batch_size.Add(labels, kBatchImages)),
        radius(families.radius.Add(labels, kRadiusL2)),
        loaded(families.loaded.Add(labels)),
        load_duration(families.load_duration.Add(labels)),
        batch_limit(families.batch_limit.Add(labels)),
        queue_depth(families.queue_depth.Add(labels)),
        queue_capacity(families.queue_capacity.Add(labels)),
        file_differs(families.file_differs.Add(labels)) {}

  void RemoveFrom(ModelFamilies& families) const {
    for (Counter* counter : {&certified, &abstained}) families.certified.Remove(counter);
    for (Counter* counter : {&by_float32, &by_float64, &by_exact}) families.decided.Remove(counter);
    families.disagreements.Remove(&disagreements);
    families.request_duration.Remove(&request_duration);
    families.queue_duration.Remove(&queue_duration);
    families.compute_duration.Remove(&compute_duration);
    families.batch_size.Remove(&batch_size);
    families.radius.Remove(&radius);
    families.loaded.Remove(&loaded);
    families.load_duration.Remove(&load_duration);
    families.batch_limit.Remove(&batch_limit);
    families.queue_depth.Remove(&queue_depth);
    families.queue_capacity.Remove(&queue_capacity);
    families.file_differs.Remove(&file_differs);
  }

  Counter& certified;
  Counter& abstained;
  Counter& by_float32;
  Counter& by_float64;
  Counter& by_exact;
  Counter& disagreements;
  Histogram& request_duration;
  Histogram& queue_duration;
  Histogram& compute_duration;
  Histogram& batch_size;
  Histogram& radius;
  Gauge& loaded;
  Gauge& load_duration;
  Gauge& batch_limit;
  Gauge& queue_depth;
  Gauge& queue_capacity;
  Gauge& file_differs;
};

}  // namespace

struct ModelMetrics::Series {
  Series(ModelFamilies& model_families, Labels model_labels)
      : families(model_families), labels(std::move(model_labels)) {}

  Counter& RequestCounter(RpcMethod method, absl::StatusCode code) {
    const std::string method_label = MethodName(method);
    return Resolve(requests[static_cast<std::size_t>(method)][static_cast<std::size_t>(code)],
                   families.requests, [&] {
                     return WithLabel(WithLabel(labels, "method", method_label), "code",
                                      CodeLabel(code));
                   });
  }

  Counter& RejectionCounter(absl::StatusCode code, const char* reason) {
    return Resolve(rejections[static_cast<std::size_t>(code)], families.rejected,
                   [&] { return WithLabel(labels, "reason", reason); });
  }

  // Removes all series from the families.
  //
  // Requires: no other object has the same labels.
  void Remove() {
    if (served != nullptr) served->RemoveFrom(families);
    for (auto& by_code : requests) {
      for (std::atomic<Counter*>& counter : by_code) families.requests.Remove(counter.load());
    }
    for (std::atomic<Counter*>& counter : rejections) families.rejected.Remove(counter.load());
    MutexLock lock(mutex);
    for (Gauge* gauge : training_accuracies) families.training_accuracy.Remove(gauge);
  }

  // A series appears with its first event. Two threads that resolve it at once get the same counter
  // from the family, so either may store it.
  template <typename MakeLabels>
  static Counter& Resolve(std::atomic<Counter*>& slot, Family<Counter>& family,
                          const MakeLabels& make_labels) {
    Counter* counter = slot.load(std::memory_order_acquire);
    if (counter == nullptr) {
      counter = &family.Add(make_labels());
      slot.store(counter, std::memory_order_release);
    }
    return *counter;
  }

  ModelFamilies& families;
  const Labels labels;
  std::unique_ptr<ServedSeries> served;
  std::array<std::array<std::atomic<Counter*>, kNumCodes>, kNumRpcMethods> requests{};
  std::array<std::atomic<Counter*>, kNumCodes> rejections{};
  Mutex mutex;
  std::set<Gauge*> training_accuracies ABSL_GUARDED_BY(mutex);
};

ModelMetrics::ModelMetrics(std::unique_ptr<Series> series) : series_(std::move(series)) {}
ModelMetrics::~ModelMetrics() = default;

void ModelMetrics::CountRequest(RpcMethod method, absl::StatusCode code, double seconds) {
  series_->RequestCounter(method, code).Increment();
  if (!IsClassification(method)) return;
  if (code != absl::StatusCode::kOk) {
    statistics_.AddFailure(std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(seconds)));
  }
  const char* const reason = RejectionReason(code);
  if (reason != nullptr) series_->RejectionCounter(code, reason).Increment();
  if (series_->served != nullptr) series_->served->request_duration.Observe(seconds);
}

void ModelMetrics::ObserveQueueDelay(double seconds) {
  series_->served->queue_duration.Observe(seconds);
}

void ModelMetrics::ObserveBatch(const ComputedBatch& batch) {
  statistics_.AddBatch(batch);
  series_->served->batch_size.Observe(static_cast<double>(batch.images));
  series_->served->compute_duration.Observe(std::chrono::duration<double>(batch.computing).count());
}

void ModelMetrics::ObserveAnswers(std::span<const Answer> answers) {
  ServedSeries& served = *series_->served;
  for (const Answer& answer : answers) {
    served.radius.Observe(answer.radius_l2);
    (answer.radius_l2 > 0.0 ? served.certified : served.abstained).Increment();
    switch (answer.decided_by) {
      case DecidedBy::kFloat32:
        served.by_float32.Increment();
        break;
      case DecidedBy::kFloat64:
        served.by_float64.Increment();
        break;
      case DecidedBy::kExact:
        served.by_exact.Increment();
        break;
    }
    if (answer.stages_disagreed) served.disagreements.Increment();
  }
}

void ModelMetrics::SetLoaded(double seconds) {
  series_->served->loaded.Set(1.0);
  series_->served->load_duration.Set(seconds);
}

void ModelMetrics::SetBatchLimit(std::size_t images) {
  series_->served->batch_limit.Set(static_cast<double>(images));
}

void ModelMetrics::SetQueueCapacity(std::size_t images) {
  series_->served->queue_capacity.Set(static_cast<double>(images));
}

void ModelMetrics::AddQueueDepth(std::ptrdiff_t images) {
  series_->served->queue_depth.Increment(static_cast<double>(images));
}

void ModelMetrics::SetUnloaded() { series_->served->loaded.Set(0.0); }

void ModelMetrics::SetFileDiffers(bool differs) {
  series_->served->file_differs.Set(differs ? 1.0 : 0.0);
}

void ModelMetrics::SetTrainingCertifiedAccuracy(double epsilon, double accuracy) {
  Gauge& gauge = series_->families.training_accuracy.Add(
      WithLabel(series_->labels, "epsilon", absl::StrCat(epsilon)));
  gauge.Set(accuracy);
  MutexLock lock(series_->mutex);
  series_->training_accuracies.insert(&gauge);
}

struct Metrics::Impl {
  explicit Impl(const BuildInfo& build)
      : families(registry),
        connections(registry),
        queue_depth(
            GaugeFamily(registry, "lipserve_queue_depth", "Images that wait, of all models.")
                .Add({})),
        inflight(GaugeFamily(registry, "lipserve_inflight_requests",
                             "Calls that have arrived and are not answered yet.")
                     .Add({})),
        repository_problems(GaugeFamily(registry, "lipserve_repository_problems",
                                        "Versions, configurations and folders that should be "
                                        "served and cannot be; the log says why. Alert on it.")
                                .Add({})),
        compute_workers(
            GaugeFamily(registry, "lipserve_compute_workers", "Threads that compute.").Add({})),
        resident_memory(GaugeFamily(registry, "process_resident_memory_bytes",
                                    "Resident memory of the process.")
                            .Add({})),
        open_fds(GaugeFamily(registry, "process_open_fds", "Open file descriptors.").Add({})),
        max_fds(GaugeFamily(registry, "process_max_fds", "Most file descriptors that may be open.")
                    .Add({})),
        cpu_seconds(CounterFamily(registry, "process_cpu_seconds_total",
                                  "User and system CPU time of the process.")
                        .Add({})) {
    GaugeFamily(registry, "lipserve_build_info", "1, labelled with what this server is built of.")
        .Add({{"version", build.version},
              {"isa", build.instruction_set},
              {"onednn", build.onednn_version},
              {"grpc", build.grpc_version}})
        .Set(1.0);
    GaugeFamily(registry, "process_start_time_seconds",
                "Start of the process, in seconds since 1970.")
        .Add({})
        .Set(ProcessStartTimeSeconds());
  }

  void SampleProcess() {
    const ProcessStatistics now = ReadProcessStatistics();
    resident_memory.Set(static_cast<double>(now.resident_memory_bytes));
    open_fds.Set(static_cast<double>(now.open_fds));
    max_fds.Set(static_cast<double>(now.max_fds));
    MutexLock lock(cpu_mutex);
    cpu_seconds.Increment(now.cpu_seconds - cpu_seconds.Value());
  }

  prometheus::Registry registry;
  ModelFamilies families;
  ConnectionMetrics connections;
  Gauge& queue_depth;
  Gauge& inflight;
  Gauge& repository_problems;
  Gauge& compute_workers;
  Gauge& resident_memory;
  Gauge& open_fds;
  Gauge& max_fds;
  Mutex cpu_mutex;
  Counter& cpu_seconds;

  using ModelKey = std::pair<std::string, std::int64_t>;

  // Removes the series of `metrics`, whose last user is gone.
  void RemoveIfUnused(const ModelKey& key, std::unique_ptr<ModelMetrics> metrics) {
    MutexLock lock(models_mutex);
    const auto model = models.find(key);
    // Another user may have asked for the same series in the meantime, and now owns them.
    if (model == models.end() || model->second.address != metrics.get()) return;
    metrics->series_->Remove();
    models.erase(model);
  }

  struct Model {
    const ModelMetrics* address;
    std::weak_ptr<ModelMetrics> metrics;
  };
  Mutex models_mutex;
  std::map<ModelKey, Model> models ABSL_GUARDED_BY(models_mutex);
  std::unique_ptr<ModelMetrics> without_model;
};

Metrics::Metrics(const BuildInfo& build) : impl_(std::make_unique<Impl>(build)) {
  impl_->without_model = std::make_unique<ModelMetrics>(std::make_unique<ModelMetrics::Series>(
      impl_->families, Labels{{"model", ""}, {"version", ""}}));
}

Metrics::~Metrics() = default;

std::shared_ptr<ModelMetrics> Metrics::ForModel(const std::string& name, std::int64_t version) {
  const Impl::ModelKey key(name, version);
  MutexLock lock(impl_->models_mutex);
  const auto model = impl_->models.find(key);
  if (model != impl_->models.end()) {
    if (std::shared_ptr<ModelMetrics> metrics = model->second.metrics.lock()) return metrics;
  }
  auto series = std::make_unique<ModelMetrics::Series>(
      impl_->families, Labels{{"model", name}, {"version", absl::StrCat(version)}});
  series->served = std::make_unique<ServedSeries>(impl_->families, series->labels);
  std::shared_ptr<ModelMetrics> metrics(
      new ModelMetrics(std::move(series)), [impl = impl_.get(), key](ModelMetrics* last) {
        impl->RemoveIfUnused(key, std::unique_ptr<ModelMetrics>(last));
      });
  impl_->models[key] = {.address = metrics.get(), .metrics = metrics};
  return metrics;
}

ModelMetrics& Metrics::ForNoModel() { return *impl_->without_model; }

void Metrics::SetRepositoryProblems(std::size_t count) {
  impl_->repository_problems.Set(static_cast<double>(count));
}

void Metrics::SetComputeWorkers(std::size_t threads) {
  impl_->compute_workers.Set(static_cast<double>(threads));
}

void Metrics::AddQueueDepth(std::ptrdiff_t images) {
  impl_->queue_depth.Increment(static_cast<double>(images));
}

void Metrics::AddInflight(std::ptrdiff_t calls) {
  impl_->inflight.Increment(static_cast<double>(calls));
}

ConnectionMetrics& Metrics::connections() { return impl_->connections; }

std::string Metrics::Text() {
  impl_->SampleProcess();
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace lipserve
