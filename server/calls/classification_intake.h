// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CALLS_CLASSIFICATION_INTAKE_H_
#define SERVER_CALLS_CLASSIFICATION_INTAKE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "server/scheduling/classification_task.h"
#include "server/scheduling/input_buffers.h"
#include "server/scheduling/request_queue.h"

namespace lipserve {

// Where decoded requests of every protocol enter the one path to an answer.
//
// Threads: all functions are safe to call from any thread.
class ClassificationIntake {
 public:
  struct Settings {
    std::size_t max_images_per_call = 0;
    std::size_t workers = 1;
    // Requests expected to take at most this long are computed by the calling poller.
    std::chrono::nanoseconds inline_budget{0};
  };

  // Requires: queue outlives it.
  ClassificationIntake(const Settings& settings, RequestQueue& queue)
      : settings_(settings), queue_(queue) {}

  InputBuffers& input_buffers() { return input_buffers_; }

  // Refuses a request that the queue has no room for, before its images are decoded. `images` is
  // what its message says, still to be checked; what cannot be true is left to the decoder.
  //
  // Errors: those that Submit completes such a task with.
  absl::Status CheckCapacity(const ServedModel& model, std::int64_t images) const;

  // Queues the task: for the end of the calling poller's round if it is expected to be quick, else
  // for a worker. Leads to exactly one Complete, perhaps before this returns: ResourceExhausted,
  // with a retry delay, if the queue is full; Unavailable if it is closed; what the executor says
  // otherwise.
  //
  // Requires: the task has a model and decoded images.
  void Submit(ClassificationTask& task);

 private:
  // Tells the client of a full queue how long to wait.
  absl::Status WithRetryDelay(absl::Status refusal, const ServedModel& model) const;
  std::chrono::milliseconds ExpectedRetryDelay(const ServedModel& model) const;

  // 4 MiB: as much as the queue holds of the images that MNIST has.
  static constexpr std::size_t kMaxKeptInputs = std::size_t{1} << 20;

  const Settings settings_;
  RequestQueue& queue_;
  InputBuffers input_buffers_{kMaxKeptInputs};
};

// A deadline of the system clock, as gRPC has it, on the server's clock.
Clock::TimePoint ToServerClock(std::chrono::system_clock::time_point deadline,
                               Clock::TimePoint now);

}  // namespace lipserve

#endif  // SERVER_CALLS_CLASSIFICATION_INTAKE_H_
