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
#include <chrono>
#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/call_pool.h"
#include "server/completion_event.h"
#include "server/method_binding.h"
#include "server/request_error.h"

namespace lipserve {

// A call of one method. A kind of methods derives from it and implements Handle.
//
// Threads: Handle runs on a poller; Finish may be called there or by any other thread, once.
template <typename Service, typename Request, typename Response>
class UnaryCall : public PooledCall {
 public:
  using Method = UnaryMethod<Service, Request, Response>;

  UnaryCall(CallPool& home, const Method& method) : home_(home), method_(method) {}
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  void Post() final {
    cancelled_.store(false, std::memory_order_relaxed);
    open_events_.store(2, std::memory_order_relaxed);  // finished and done, in either order
    responder_.reset();
    context_.emplace();
    responder_.emplace(&*context_);
    context_->AsyncNotifyWhenDone(&done_);
    method_.AwaitCall(*context_, request_, *responder_, &arrived_);
  }

 protected:
  // A request has arrived. Must lead to exactly one Finish.
  virtual void Handle() = 0;

  // The client has gone before Finish was called, or is about to be; there is still to be one.
  virtual void OnCancelled() {}

  // Sends the response if `status` is OK, else the error. The call may be in its next life when
  // this returns.
  void Finish(const absl::Status& status) {
    if (const auto delay = RetryDelay(status)) {
      // What gRPC's own retries obey.
      context_->AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(delay->count()));
    }
    // Pairs with CloseEvent: whoever ends the call sees what this thread has written.
    open_events_.fetch_add(0, std::memory_order_release);
    if (status.ok()) {
      responder_->Finish(response_, grpc::Status::OK, &finished_);
    } else {
      responder_->FinishWithError(ToGrpcStatus(status), &finished_);
    }
  }

  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  grpc::ServerContext& context() { return *context_; }
  const Request& request() const { return request_; }
  Response& response() { return response_; }

 private:
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
    if (context_->IsCancelled()) {
      cancelled_.store(true, std::memory_order_release);
      OnCancelled();
    }
    CloseEvent();
  }

  void OnFinished(bool /*ok*/) { CloseEvent(); }

  void CloseEvent() {
    if (open_events_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    // What gRPC knows of a call keeps its connection open, also when the client has gone.
    responder_.reset();
    context_.reset();
    ForgetIfLarge(request_);
    ForgetIfLarge(response_);
    home_.Return(*this);
  }

  // Messages are reused with their memory; a pool that has seen a crowd of large ones must not keep
  // that of all of them.
  template <typename Message>
  static void ForgetIfLarge(Message& message) {
    constexpr std::size_t kMostKeptBytes = std::size_t{16} << 10;
    if (message.ByteSizeLong() > kMostKeptBytes) message = Message();
  }

  CallPool& home_;
  const Method method_;
  // A context serves one call only.
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<Response>> responder_;
  Request request_;
  Response response_;
  std::atomic<bool> cancelled_{false};
  std::atomic<int> open_events_{0};
  CallEvent<UnaryCall, &UnaryCall::OnArrived> arrived_{*this};
  CallEvent<UnaryCall, &UnaryCall::OnDone> done_{*this};
  CallEvent<UnaryCall, &UnaryCall::OnFinished> finished_{*this};
};

}  // namespace lipserve

#endif  // SERVER_UNARY_CALL_H_
