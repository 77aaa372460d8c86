// SPDX-License-Identifier: Apache-2.0
#include "server/operations/model_statistics.h"

namespace lipserve {

void ModelStatistics::AddBatch(const ComputedBatch& batch) {
  using std::chrono::system_clock;
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch());
  MutexLock lock(mutex_);
  totals_.last_inference_ms = now.count();
  BatchTotal& total = totals_.by_batch_size[batch.images];
  ++total.batches;
  total.computing += batch.computing;
  AddRequests(batch);
}

void ModelStatistics::AddLateRequest(const ComputedBatch& request) {
  MutexLock lock(mutex_);
  AddRequests(request);
}

void ModelStatistics::AddRequests(const ComputedBatch& batch) {
  const auto requests = static_cast<std::int64_t>(batch.requests);
  totals_.successes += batch.requests;
  totals_.queue_time += batch.queued;
  totals_.decoding_time += batch.decoding;
  totals_.computing_time += batch.computing * requests;
  totals_.success_time += batch.queued + batch.decoding + batch.computing * requests;
  totals_.by_batch_size[batch.images].decoding += batch.decoding;
}

void ModelStatistics::AddAnswer(std::size_t batch_images, std::chrono::nanoseconds since_computed,
                                std::chrono::nanoseconds encoding) {
  MutexLock lock(mutex_);
  totals_.success_time += since_computed;
  totals_.encoding_time += encoding;
  totals_.by_batch_size[batch_images].encoding += encoding;
}

void ModelStatistics::AddFailure(std::chrono::nanoseconds time) {
  MutexLock lock(mutex_);
  ++totals_.failures;
  totals_.failure_time += time;
}

ModelStatistics::Snapshot ModelStatistics::Get() const {
  Snapshot snapshot;
  {
    MutexLock lock(mutex_);
    snapshot = totals_;
  }
  for (const auto& [images, total] : snapshot.by_batch_size) {
    snapshot.images += images * total.batches;
    snapshot.batches += total.batches;
  }
  return snapshot;
}

}  // namespace lipserve
