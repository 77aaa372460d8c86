// SPDX-License-Identifier: Apache-2.0
#include "server/operations/model_statistics.h"

namespace lipserve {
namespace {

std::chrono::nanoseconds Nanoseconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

}  // namespace

void ModelStatistics::Total::Add(std::uint64_t count, double seconds) {
  count_.fetch_add(count, std::memory_order_relaxed);
  nanoseconds_.fetch_add(Nanoseconds(seconds).count(), std::memory_order_relaxed);
}

EventTotal ModelStatistics::Total::Get() const {
  return {.count = count_.load(std::memory_order_relaxed),
          .time = std::chrono::nanoseconds(nanoseconds_.load(std::memory_order_relaxed))};
}

void ModelStatistics::AddBatch(std::size_t images, std::size_t requests, double seconds) {
  using std::chrono::system_clock;
  computing_.Add(requests, seconds * static_cast<double>(requests));
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch());
  last_inference_ms_.store(now.count(), std::memory_order_relaxed);
  MutexLock lock(mutex_);
  EventTotal& total = by_batch_size_[images];
  ++total.count;
  total.time += Nanoseconds(seconds);
}

ModelStatistics::Snapshot ModelStatistics::Get() const {
  Snapshot snapshot{.last_inference_ms = last_inference_ms_.load(std::memory_order_relaxed),
                    .success = success_.Get(),
                    .failure = failure_.Get(),
                    .queue = queue_.Get(),
                    .decoding = decoding_.Get(),
                    .computing = computing_.Get(),
                    .encoding = encoding_.Get(),
                    .by_batch_size = {}};
  MutexLock lock(mutex_);
  snapshot.by_batch_size = by_batch_size_;
  for (const auto& [images, total] : by_batch_size_) {
    snapshot.images += images * total.count;
    snapshot.batches += total.count;
  }
  return snapshot;
}

}  // namespace lipserve
