// SPDX-License-Identifier: Apache-2.0
// The life of an asynchronous call on gRPC's completion queue. Unary calls and streams share it.
//
//   Post -> arrived -> operations of the derived class -> finished and done, in either order
//        -> back to its pool
//
// gRPC reports "done" when the client has received the status or has cancelled. A cancelled call
// can be "done" before Finish was called.
#ifndef SERVER_RPC_ASYNC_CALL_H_
#define SERVER_RPC_ASYNC_CALL_H_

#include <grpcpp/server_context.h>

#include <atomic>
#include <optional>

#include "server/rpc/call_pool.h"
#include "server/rpc/completion_event.h"

namespace lipserve {

// A call object that serves one RPC after another. UnaryCall is the simplest derived class.
//
// Threads: pollers deliver the events. The call returns to its pool after the last one.
class AsyncCall : public PooledCall {
 public:
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;

  void Post() final;

 protected:
  explicit AsyncCall(CallPool& pool) : pool_(pool) {}

  // Resets the call, makes a responder for `context`, and asks gRPC for the next RPC. `arrived` is
  // the tag of that request.
  virtual void RequestNext(grpc::ServerContext& context, void* arrived) = 0;

  // An RPC has arrived. Must lead to exactly one Finish with the tag FinishTag(). The call stays
  // out of its pool at least until this function returns.
  virtual void OnArrived() = 0;

  // The RPC is done; cancelled() says whether the client cancelled. If Finish has not been called
  // yet, it must still be called once.
  virtual void OnDone() {}

  // Destroys the responder and frees large messages: an idle call must not keep its connection
  // open.
  virtual void Release() = 0;

  // The tag for Finish. After a Finish outside OnArrived the call may already serve another RPC.
  void* FinishTag();

  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  grpc::ServerContext& context() { return *context_; }

 private:
  void HandleArrived(bool ok);
  void HandleDone(bool ok);
  void HandleFinished(bool /*ok*/) { CompleteEvent(); }
  void CompleteEvent();

  CallPool& pool_;
  std::optional<grpc::ServerContext> context_;  // a context serves one RPC only
  std::atomic<bool> cancelled_{false};
  std::atomic<int> pending_events_{0};
  CallEvent<AsyncCall, &AsyncCall::HandleArrived> arrived_{*this};
  CallEvent<AsyncCall, &AsyncCall::HandleDone> done_{*this};
  CallEvent<AsyncCall, &AsyncCall::HandleFinished> finished_{*this};
};

}  // namespace lipserve

#endif  // SERVER_RPC_ASYNC_CALL_H_
