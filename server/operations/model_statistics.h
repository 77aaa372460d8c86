// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_MODEL_STATISTICS_H_
#define SERVER_OPERATIONS_MODEL_STATISTICS_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>

#include "model/foundation/mutex.h"

namespace lipserve {

// The number of events, and their total duration.
struct EventTotal {
  std::uint64_t count = 0;
  std::chrono::nanoseconds time{0};
};

// Totals of one served version, for the ModelStatistics RPC. Prometheus has the distributions.
//
// Threads: all functions are safe to call from any thread.
class ModelStatistics {
 public:
  struct Snapshot {
    std::int64_t last_inference_ms = 0;  // since 1970; 0: none
    std::uint64_t images = 0;
    std::uint64_t batches = 0;
    EventTotal success;
    EventTotal failure;
    EventTotal queue;
    EventTotal decoding;
    EventTotal computing;  // a batch counts once per request
    EventTotal encoding;
    std::map<std::size_t, EventTotal> by_batch_size;
  };

  void AddRequest(bool ok, double seconds) { (ok ? success_ : failure_).Add(1, seconds); }
  void AddQueueDelay(double seconds) { queue_.Add(1, seconds); }
  void AddDecoding(double seconds) { decoding_.Add(1, seconds); }
  void AddEncoding(double seconds) { encoding_.Add(1, seconds); }
  void AddBatch(std::size_t images, std::size_t requests, double seconds);

  // Each total is exact, but they are not read at the same instant.
  Snapshot Get() const;

 private:
  class Total {
   public:
    void Add(std::uint64_t count, double seconds);
    EventTotal Get() const;

   private:
    std::atomic<std::uint64_t> count_{0};
    std::atomic<std::int64_t> nanoseconds_{0};
  };

  Total success_;
  Total failure_;
  Total queue_;
  Total decoding_;
  Total computing_;
  Total encoding_;
  std::atomic<std::int64_t> last_inference_ms_{0};
  mutable Mutex mutex_;
  std::map<std::size_t, EventTotal> by_batch_size_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_MODEL_STATISTICS_H_
