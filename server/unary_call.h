// SPDX-License-Identifier: Apache-2.0
// The life of one unary call on gRPC's completion queue, for every method of every service.
//
//   Post --(request arrives)--> Handle ... Finish --(finished, done)--> back to the pool
//        \--(server shuts down)---------------------------------------> back to the pool
//
// "Done" is gRPC's word for: the call has ended, perhaps because the client cancelled it, which may
// be before Finish.
#ifndef SERVER_UNARY_CALL_H_
#define SERVER_UNARY_CALL_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "server/call_pool.h"

namespace lipserve {

// A tag on the completion queue.
class CompletionEvent {
 public:
  // Takes the event. `ok` is gRPC's: false if the operation did not take place.
  virtual void Happen(bool ok) = 0;

 protected:
  ~CompletionEvent() = default;
};

// The same status in gRPC's type. The codes of the two are the same numbers.
inline grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

// A call of one method. A method derives from it and implements Request and Handle.
//
// Threads: Handle runs on a poller; Finish may be called there or by any other thread, once.
template <typename RequestMessage, typename ResponseMessage>
class UnaryCall : public PooledCall {
 public:
  explicit UnaryCall(CallPool& home) : home_(home) {}
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  void Post() final {
    cancelled_.store(false, std::memory_order_relaxed);
    open_events_.store(2, std::memory_order_relaxed);  // finished and done, in either order
    responder_.reset();
    context_.emplace();
    responder_.emplace(&*context_);
    context_->AsyncNotifyWhenDone(&done_);
    Request(*context_, request_, *responder_, &arrived_);
  }

 protected:
  using Responder = grpc::ServerAsyncResponseWriter<ResponseMessage>;

  // Calls the generated service's Request<Method>.
  virtual void Request(grpc::ServerContext& context, RequestMessage& request, Responder& responder,
                       void* tag) = 0;

  // A request has arrived. Must lead to exactly one Finish.
  virtual void Handle() = 0;

  // Sends the response if `status` is OK, else the error. The call may be in its next life when
  // this returns.
  void Finish(const absl::Status& status) {
    if (status.ok()) {
      responder_->Finish(response_, grpc::Status::OK, &finished_);
    } else {
      responder_->FinishWithError(ToGrpcStatus(status), &finished_);
    }
  }

  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  grpc::ServerContext& context() { return *context_; }
  const RequestMessage& request() const { return request_; }
  ResponseMessage& response() { return response_; }

 private:
  template <void (UnaryCall::*Handler)(bool)>
  class Event final : public CompletionEvent {
   public:
    explicit Event(UnaryCall& call) : call_(call) {}
    void Happen(bool ok) override { (call_.*Handler)(ok); }

   private:
    UnaryCall& call_;
  };

  void OnArrived(bool ok) {
    if (!ok) {
      // The server shuts down: there was no call, so it does not end either.
      home_.Return(*this);
      return;
    }
    home_.Arrive();
    Handle();
  }

  void OnDone(bool /*ok*/) {
    if (context_->IsCancelled()) cancelled_.store(true, std::memory_order_release);
    CloseEvent();
  }

  void OnFinished(bool /*ok*/) { CloseEvent(); }

  void CloseEvent() {
    if (open_events_.fetch_sub(1, std::memory_order_acq_rel) == 1) home_.Return(*this);
  }

  CallPool& home_;
  // A context serves one call only; the messages are reused.
  std::optional<grpc::ServerContext> context_;
  std::optional<Responder> responder_;
  RequestMessage request_;
  ResponseMessage response_;
  std::atomic<bool> cancelled_{false};
  std::atomic<int> open_events_{0};
  Event<&UnaryCall::OnArrived> arrived_{*this};
  Event<&UnaryCall::OnDone> done_{*this};
  Event<&UnaryCall::OnFinished> finished_{*this};
};

}  // namespace lipserve

#endif  // SERVER_UNARY_CALL_H_
