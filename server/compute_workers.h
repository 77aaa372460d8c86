// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_COMPUTE_WORKERS_H_
#define SERVER_COMPUTE_WORKERS_H_

#include <cstddef>
#include <thread>
#include <vector>

#include "server/clock.h"
#include "server/request_queue.h"

namespace lipserve {

// Threads that execute the queue's batches, each with a single OpenMP thread: parallelism comes
// from many requests, not from splitting one.
class ComputeWorkers {
 public:
  // Starts `count` threads. Requires: queue and clock outlive this object.
  ComputeWorkers(std::size_t count, RequestQueue& queue, const Clock& clock);

  // Closes the queue, finishes what is left in it (with the calling thread's help, so that this
  // holds without any worker too), and joins.
  ~ComputeWorkers();
  ComputeWorkers(const ComputeWorkers&) = delete;
  ComputeWorkers& operator=(const ComputeWorkers&) = delete;

 private:
  RequestQueue& queue_;
  const Clock& clock_;
  std::vector<std::thread> threads_;
};

}  // namespace lipserve

#endif  // SERVER_COMPUTE_WORKERS_H_
