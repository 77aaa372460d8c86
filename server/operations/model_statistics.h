// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_MODEL_STATISTICS_H_
#define SERVER_OPERATIONS_MODEL_STATISTICS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>

#include "model/foundation/mutex.h"

namespace lipserve {

// Images that were computed together, and those of their requests that are decided by that.
// `queued` and `decoding` are sums over these requests.
struct ComputedBatch {
  std::size_t images = 0;
  std::size_t requests = 1;
  std::chrono::nanoseconds queued{0};     // from the end of decoding to the start of the batch
  std::chrono::nanoseconds decoding{0};   // from arrival to the end of decoding
  std::chrono::nanoseconds computing{0};  // of the batch
};

// Totals of one served version, for the ModelStatistics RPC. Prometheus has the distributions.
//
// A request counts as a success when it is decided: when its batch ends, or when the exact stage
// has decided it. It adds the rest of its time when its answer is encoded. A request that is
// refused, expires or is cancelled counts as a failure only.
//
// Threads: all functions are safe to call from any thread.
class ModelStatistics {
 public:
  // Batches of one number of images.
  struct BatchTotal {
    std::uint64_t batches = 0;
    std::chrono::nanoseconds decoding{0};
    std::chrono::nanoseconds computing{0};
    std::chrono::nanoseconds encoding{0};
  };

  // For every snapshot:
  //
  //   images  = sum over by_batch_size of (number of images) * batches
  //   batches = sum over by_batch_size of batches
  //   successes <= images
  //   success_time >= queue_time + decoding_time + computing_time + encoding_time
  struct Snapshot {
    std::int64_t last_inference_ms = 0;  // since 1970; 0: none
    std::uint64_t images = 0;
    std::uint64_t batches = 0;
    std::uint64_t successes = 0;
    std::uint64_t failures = 0;
    std::chrono::nanoseconds success_time{0};  // from arrival to the encoded answer
    std::chrono::nanoseconds failure_time{0};
    std::chrono::nanoseconds queue_time{0};
    std::chrono::nanoseconds decoding_time{0};
    std::chrono::nanoseconds computing_time{0};  // a batch counts once per request
    std::chrono::nanoseconds encoding_time{0};
    std::map<std::size_t, BatchTotal> by_batch_size;
  };

  // Counts a batch and its decided requests, from their arrival to the end of the computation.
  void AddBatch(const ComputedBatch& batch);

  // Counts a request that was decided after its batch. `computing` is the time since the batch
  // began.
  //
  // Requires: AddBatch was called for its batch, without this request.
  void AddLateRequest(const ComputedBatch& request);

  // Adds the time of one request of a batch of `batch_images`: all that passed after the
  // computation, and the part of it that encoding took.
  //
  // Requires: AddBatch was called for its batch; encoding <= since_computed.
  void AddAnswer(std::size_t batch_images, std::chrono::nanoseconds since_computed,
                 std::chrono::nanoseconds encoding);

  // Counts a request that was not computed.
  void AddFailure(std::chrono::nanoseconds time);

  // All totals at one instant.
  Snapshot Get() const;

 private:
  void AddRequests(const ComputedBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  Snapshot totals_ ABSL_GUARDED_BY(mutex_);  // without images and batches, which are sums
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_MODEL_STATISTICS_H_
