// SPDX-License-Identifier: Apache-2.0
// What the server tells Prometheus. The only file pair that knows the Prometheus library.
#ifndef SERVER_OPERATIONS_METRICS_H_
#define SERVER_OPERATIONS_METRICS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "model/certified_model.h"
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

// The time series of one served model, which end with this object. Every series is resolved once;
// what runs per request touches numbers only (a counter costs some 10 ns, finding it by its labels
// almost 1 us).
//
// Threads: all functions are safe to call from any thread.
class ModelMetrics {
 public:
  struct Series;
  explicit ModelMetrics(std::unique_ptr<Series> series);
  ~ModelMetrics();

  // Counts an answered call and, if it failed before it was computed, why. `seconds` passed from
  // the arrival of its last byte to its answer being handed to gRPC.
  void CountRequest(RpcMethod method, absl::StatusCode code, double seconds);

  // Seconds that a request waited from its arrival to the start of its batch.
  void ObserveQueueDelay(double seconds);

  // Seconds for checking and decoding a request, and for encoding its answer.
  void ObserveDecoding(double seconds) { statistics_.AddDecoding(seconds); }
  void ObserveEncoding(double seconds) { statistics_.AddEncoding(seconds); }

  // A batch of `images` images from `requests` requests that took `seconds` to classify and
  // certify.
  void ObserveBatch(std::size_t images, double seconds, std::size_t requests = 1);

  // Counts certified and abstained answers, their radii, and which stage decided.
  void ObserveAnswers(std::span<const Answer> answers);

  // The model is ready, `seconds` after its loading began.
  void SetLoaded(double seconds);
  // Most images that are computed together.
  void SetBatchLimit(std::size_t images);
  // Images that may wait for it.
  void SetQueueCapacity(std::size_t images);
  // Changes the number of images that wait for it.
  void AddQueueDepth(std::ptrdiff_t images);
  // It gets no new requests any more.
  void SetUnloaded();

  // Whether the file that the model was loaded from is still the same.
  void SetFileDiffers(bool differs);

  // The share of test images that were right and certified at L2 `epsilon` when the model was
  // trained, both as the model file says: what served answers are compared with.
  void SetTrainingCertifiedAccuracy(double epsilon, double accuracy);

  // Totals of what was observed.
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

  // The series of one version of a model, the same for everybody who asks while anybody has them;
  // then they go, so that a thousand versions leave nothing behind. Not to outlive this object.
  std::shared_ptr<ModelMetrics> ForModel(const std::string& name, std::int64_t version);

  // The series of calls that name no served model: model="" and version="", so that what clients
  // send cannot create series.
  ModelMetrics& ForNoModel();

  // The number of things in the model repository that should be served and cannot be.
  void SetRepositoryProblems(std::size_t count);

  // Threads that compute.
  void SetComputeWorkers(std::size_t threads);

  // Changes the number of queued images of all models, and of calls that have arrived and are not
  // yet answered.
  void AddQueueDepth(std::ptrdiff_t images);
  void AddInflight(std::ptrdiff_t calls);

  // Everything, in Prometheus' text format 0.0.4.
  std::string Text();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_METRICS_H_
