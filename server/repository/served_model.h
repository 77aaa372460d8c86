// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REPOSITORY_SERVED_MODEL_H_
#define SERVER_REPOSITORY_SERVED_MODEL_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/certified_model.h"
#include "model/foundation/mutex.h"
#include "model/foundation/stop_check.h"
#include "model/network/pixel_scaling.h"
#include "server/operations/clock.h"
#include "server/operations/metrics.h"
#include "server/repository/batch_calibration.h"
#include "server/repository/priority.h"

namespace lipserve {

// One version of a model: proven, warm and ready to answer.
//
//   model->ClassifyByFloatingPoint(inputs, answers, RadiusPrecision::kTight);
//   // and for each undecided answer i:
//   model->ClassifyExactly(inputs.row(i), answers[i], stop);
//
// A request holds a shared_ptr to the version it was admitted with. So the version outlives its
// replacement until the answer is sent.
//
// Threads: immutable except for its limits; all functions are safe to call from any thread.
class ServedModel {
 public:
  // Proves and warms up `frozen`, and times batches of up to `max_batch` images.
  //
  // Requires: the calling thread's OpenMP team is as wide as those that will classify; metrics
  //           and clock outlive the model.
  // Errors:   those of CertifiedModel::Create.
  static absl::StatusOr<std::shared_ptr<const ServedModel>> Load(
      const std::string& name, std::int64_t version, FrozenModel frozen, std::size_t max_batch,
      Metrics& metrics, const Clock& clock, const CertifiedModel::Limits& limits = {});

  const std::string& name() const { return name_; }
  std::int64_t version() const { return version_; }
  const FrozenModel& frozen() const { return certified_->frozen(); }
  const CertifiedModel& certified() const { return *certified_; }
  // None if the model refuses pixels.
  const std::optional<PixelScaling>& pixel_scaling() const { return pixel_scaling_; }
  std::size_t input_size() const { return certified_->input_size(); }
  ModelMetrics& metrics() const { return *metrics_; }

  // Times of batches of ascending sizes, measured at loading.
  std::span<const BatchTime> batch_times() const { return batch_times_; }
  std::chrono::nanoseconds time_per_image() const { return batch_times_.front().time; }

  // Expected time of a batch of `images`: a straight line through the smallest and the largest
  // measured batch.
  std::chrono::nanoseconds ExpectedTime(std::size_t images) const {
    return time_per_image() + time_per_extra_image_ * (static_cast<std::int64_t>(images) - 1);
  }

  // Most images of several requests that are computed together: the limit that was measured as
  // best, or that of SetBatchLimit.
  std::size_t batch_limit() const { return batch_limit_.load(std::memory_order_relaxed); }

  // Sets the batch limit; none restores the measured one. It is capped by the `max_batch` of Load.
  void SetBatchLimit(std::optional<std::size_t> max_images) const;

  // Most images that may wait for the version. There is no limit before SetQueueLimits.
  std::size_t queue_capacity() const { return queue_capacity_.load(std::memory_order_relaxed); }
  // Priority of requests without one.
  int default_priority() const { return default_priority_.load(std::memory_order_relaxed); }

  // Sets both for new requests.
  void SetQueueLimits(std::size_t capacity, int default_priority) const;

  // The functions of CertifiedModel, on the calling thread. Hold no lock meanwhile.
  void ClassifyByFloatingPoint(ConstMatrixView inputs, std::span<Answer> answers,
                               RadiusPrecision precision) const;
  bool ClassifyExactly(std::span<const float> input, Answer& answer, const StopCheck& stop) const;

  // Expected time of ClassifyExactly for `images` images: what the last ones took, or before any a
  // hundred times the time of an image.
  std::chrono::nanoseconds ExpectedExactTime(std::size_t images) const {
    return std::chrono::nanoseconds(exact_time_.load(std::memory_order_relaxed)) *
           static_cast<std::int64_t>(images);
  }
  // Records the time of one image, or the mean of several.
  void ObserveExactTime(std::chrono::nanoseconds per_image) const {
    exact_time_.store((3 * exact_time_.load(std::memory_order_relaxed) + per_image.count()) / 4,
                      std::memory_order_relaxed);
  }

 private:
  ServedModel(std::string name, std::int64_t version,
              std::shared_ptr<const CertifiedModel> certified,
              std::shared_ptr<ModelMetrics> metrics);
  void MeasureTimes(std::size_t max_batch);
  CertifiedModel::WorkerHandle TakeWorker() const;
  void ReturnWorker(CertifiedModel::WorkerHandle worker) const;

  const std::string name_;
  const std::int64_t version_;
  const std::shared_ptr<const CertifiedModel> certified_;
  std::optional<PixelScaling> pixel_scaling_;
  const std::shared_ptr<ModelMetrics> metrics_;
  std::vector<BatchTime> batch_times_{BatchTime()};
  std::chrono::nanoseconds time_per_extra_image_{0};
  mutable std::atomic<std::int64_t> exact_time_{0};  // nanoseconds per image
  mutable std::atomic<std::size_t> batch_limit_{1};
  mutable std::atomic<std::size_t> queue_capacity_{std::numeric_limits<std::size_t>::max()};
  mutable std::atomic<int> default_priority_{kDefaultPriority};

  // Idle buffers: as many as threads have ever computed at once.
  mutable Mutex mutex_;
  mutable std::vector<CertifiedModel::WorkerHandle> idle_workers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_REPOSITORY_SERVED_MODEL_H_
