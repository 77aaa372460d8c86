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

// Answers on their way from the workers that computed them to a poller, which gives them to gRPC.
//
// When two threads use a connection at the same time, gRPC leaves the work of both to a thread of
// its own. It is cheaper to leave a batch to the thread that uses the connection anyway; a task
// that is alone is answered where it was computed, since to wake a poller takes longer.
//
// Threads: Deliver is for workers, Drain for pollers; each is safe to call from any thread.
class AnswerHandover final : public AnswerDelivery {
 public:
  // Requires: queue outlives it, is polled as long as Deliver is called, and is drained before the
  // handover goes.
  explicit AnswerHandover(grpc::CompletionQueue& queue) : queue_(queue) {}

  // Completes one task before it returns, and keeps several until Drain. Wakes a poller.
  void Deliver(std::span<ClassificationTask* const> tasks, std::vector<Answer>& answers) override;

  // Delivers what there is by `delivery`.
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
  std::vector<std::unique_ptr<Batch>> spare_ ABSL_GUARDED_BY(mutex_);  // for their memory
  bool wake_pending_ ABSL_GUARDED_BY(mutex_) = false;  // the alarm's event is on the queue
  grpc::Alarm alarm_ ABSL_GUARDED_BY(mutex_);
  CallEvent<AnswerHandover, &AnswerHandover::OnWake> wake_event_{*this};
};

}  // namespace lipserve

#endif  // SERVER_RPC_ANSWER_HANDOVER_H_
