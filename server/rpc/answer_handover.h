// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_ANSWER_HANDOVER_H_
#define SERVER_RPC_ANSWER_HANDOVER_H_

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <memory>
#include <span>
#include <vector>

#include "model/foundation/mutex.h"
#include "server/rpc/completion_event.h"
#include "server/scheduling/answer_delivery.h"

namespace lipserve {

// Hands computed answers from workers to a poller, which sends them by gRPC.
//
//   AnswerHandover handover(completion_queue);
//   handover.Deliver(tasks, answers);  // a worker has computed a batch; a poller wakes
//   handover.Drain(delivery);          // the poller completes the tasks
//
// If two threads use one connection at once, gRPC defers the work of both to a thread of its own.
// So a batch goes to the poller, which uses the connection anyway. A single task is answered by its
// worker: waking a poller would take longer.
//
// Threads: workers call Deliver, pollers call Drain; both are safe to call from any thread.
class AnswerHandover final : public AnswerDelivery {
 public:
  // Requires: `queue` outlives the handover, is polled as long as Deliver is called, and is drained
  //           before the handover is destroyed.
  explicit AnswerHandover(grpc::CompletionQueue& queue) : queue_(queue) {}

  // Completes a single task at once. Keeps several for Drain, and wakes a poller.
  void Deliver(std::span<ClassificationTask* const> tasks, std::vector<Answer>& answers) override;

  // Delivers all waiting batches through `delivery`.
  void Drain(PromptDelivery& delivery);

 private:
  struct Batch {
    std::vector<ClassificationTask*> tasks;
    std::vector<Answer> answers;
  };

  void OnWake(bool ok);
  std::unique_ptr<Batch> SpareBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  grpc::CompletionQueue& queue_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Batch>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Batch>> spare_ ABSL_GUARDED_BY(mutex_);  // reused for their memory
  bool wake_pending_ ABSL_GUARDED_BY(mutex_) = false;  // the alarm's event is on the queue
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mutex_);
  CallEvent<AnswerHandover, &AnswerHandover::OnWake> wake_event_{*this};
};

}  // namespace lipserve

#endif  // SERVER_RPC_ANSWER_HANDOVER_H_
