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

// The entrance of the scheduler: every protocol submits its decoded requests here.
//
//   intake.CheckCapacity(*model, num_images);  // refuse early, before decoding
//   intake.Submit(task);                       // leads to exactly one task.Complete
//
// Threads: all functions are safe to call from any thread.
class ClassificationIntake {
 public:
  struct Settings {
    std::size_t max_images_per_call = 0;
    std::size_t workers = 1;
    // A poller computes requests itself that are expected to take at most this long.
    std::chrono::nanoseconds inline_budget{0};
  };

  // Requires: queue outlives the object.
  ClassificationIntake(const Settings& settings, RequestQueue& queue)
      : settings_(settings), queue_(queue) {}

  InputBuffers& input_buffers() { return input_buffers_; }

  // Refuses a request that does not fit the queue, before its images are decoded. `images` is the
  // count in the message, not yet validated; an impossible count is left to the decoder.
  //
  // Errors: those that Submit would complete the task with.
  absl::Status CheckCapacity(const ServedModel& model, std::int64_t images) const;

  // Queues the task. If it is expected to be quick, the calling poller computes it at the end of
  // its round; otherwise a worker does.
  //
  // Leads to exactly one Complete, perhaps before this returns: with ResourceExhausted and a retry
  // delay if the queue is full, with Unavailable if the queue is closed, otherwise with the
  // executor's result.
  //
  // Requires: the task has a model and decoded images.
  void Submit(ClassificationTask& task);

 private:
  // Adds to a "queue full" error how long the client should wait.
  absl::Status WithRetryDelay(absl::Status refusal, const ServedModel& model) const;
  std::chrono::milliseconds ExpectedRetryDelay(const ServedModel& model) const;

  // 4 MiB: as much as a full queue of MNIST images.
  static constexpr std::size_t kMaxKeptInputs = std::size_t{1} << 20;

  const Settings settings_;
  RequestQueue& queue_;
  InputBuffers input_buffers_{kMaxKeptInputs};
};

// Converts a deadline of the system clock, as gRPC gives it, to the server's clock.
Clock::TimePoint ToServerClock(std::chrono::system_clock::time_point deadline,
                               Clock::TimePoint now);

}  // namespace lipserve

#endif  // SERVER_CALLS_CLASSIFICATION_INTAKE_H_
