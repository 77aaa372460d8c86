// SPDX-License-Identifier: Apache-2.0
// The server's Prometheus metrics. Only this file pair and connection_metrics use the Prometheus
// library.
//
//   Metrics metrics(build_info);
//   std::shared_ptr<ModelMetrics> model = metrics.ForModel("mnist08", 3);
//   model->ObserveQueueDelay(0.0002);
//   metrics.Text();  // the body of /metrics
#ifndef SERVER_OPERATIONS_METRICS_H_
#define SERVER_OPERATIONS_METRICS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "model/certified_model.h"
#include "server/operations/connection_metrics.h"
#include "server/operations/model_statistics.h"
#include "server/operations/rpc_method.h"

namespace lipserve {

// Labels of lipserve_build_info.
struct BuildInfo {
  std::string version;          // of lipserve
  std::string instruction_set;  // that oneDNN dispatches to
  std::string onednn_version;
  std::string grpc_version;
};

// The time series of one served model; they are removed with this object. Each series is looked up
// once, because a counter costs some 10 ns, but finding it by its labels almost 1 us.
//
// Threads: all functions are safe to call from any thread.
class ModelMetrics {
 public:
  struct Series;
  explicit ModelMetrics(std::unique_ptr<Series> series);
  ~ModelMetrics();

  // Counts an answered call. If it failed before it was computed, also counts why. `seconds` is the
  // time from the arrival of its last byte until its answer was handed to gRPC.
  void CountRequest(RpcMethod method, absl::StatusCode code, double seconds);

  // Records the time from a request's arrival to the start of its batch.
  void ObserveQueueDelay(double seconds);

  // Records a batch that was classified and certified.
  void ObserveBatch(const ComputedBatch& batch);

  // Records a request that was decided after its batch, as ModelStatistics::AddLateRequest.
  void ObserveLateRequest(const ComputedBatch& request) { statistics_.AddLateRequest(request); }

  // Records an encoded answer, as ModelStatistics::AddAnswer.
  void ObserveEncoding(std::size_t batch_images, std::chrono::nanoseconds since_computed,
                       std::chrono::nanoseconds encoding) {
    statistics_.AddAnswer(batch_images, since_computed, encoding);
  }

  // Counts certified and abstained answers, their radii, and the stages that decided them.
  void ObserveAnswers(std::span<const Answer> answers);

  // The model is served. Loading took `seconds`.
  void SetLoaded(double seconds);
  // Most images that are computed together.
  void SetBatchLimit(std::size_t images);
  // Most images that may wait for the model.
  void SetQueueCapacity(std::size_t images);
  // Changes the number of images that wait for the model.
  void AddQueueDepth(std::ptrdiff_t images);
  // The model gets no new requests.
  void SetUnloaded();

  // Whether the model's file now differs from what is served.
  void SetFileDiffers(bool differs);

  // Publishes a result of the training, as the model file states it: the share of test images that
  // were right and certified at L2 `epsilon`. Dashboards compare served answers with it.
  void SetTrainingCertifiedAccuracy(double epsilon, double accuracy);

  // The totals of these observations.
  const ModelStatistics& statistics() const { return statistics_; }

 private:
  friend class Metrics;

  std::unique_ptr<Series> series_;
  ModelStatistics statistics_;
};

// All metrics of one server.
//
// Threads: all functions are safe to call from any thread.
class Metrics {
 public:
  explicit Metrics(const BuildInfo& build);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The series of one version of a model. All callers share one object while anyone holds it; after
  // that the series are removed. So a thousand versions leave nothing behind.
  //
  // Requires: the result does not outlive this object.
  std::shared_ptr<ModelMetrics> ForModel(const std::string& name, std::int64_t version);

  // The series of calls that name no served model, with model="" and version="". So clients cannot
  // create series.
  ModelMetrics& ForNoModel();

  // The number of versions, configurations and folders that should be served and cannot be.
  void SetRepositoryProblems(std::size_t count);

  // The number of compute threads.
  void SetComputeWorkers(std::size_t threads);

  // Change the number of queued images of all models, and of calls in flight: arrived, not
  // answered.
  void AddQueueDepth(std::ptrdiff_t images);
  void AddInflight(std::ptrdiff_t calls);

  // Those of the connections to the gRPC port.
  ConnectionMetrics& connections();

  // All metrics in Prometheus' text format 0.0.4.
  std::string Text();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_METRICS_H_
