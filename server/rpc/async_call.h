// SPDX-License-Identifier: Apache-2.0
// The life of an asynchronous call on gRPC's completion queue, the same for unary calls and
// streams.
//
//   Post -> arrived -> operations of the derived class -> finished and done, in either order
//        -> back to its pool
//
// gRPC reports "done" when the client has the status or has cancelled, which may be before Finish.
#ifndef SERVER_RPC_ASYNC_CALL_H_
#define SERVER_RPC_ASYNC_CALL_H_

#include <grpcpp/server_context.h>

#include <atomic>
#include <optional>

#include "server/rpc/call_pool.h"
#include "server/rpc/completion_event.h"

namespace lipserve {

// A call object that serves one RPC after the other.
//
// Threads: events come on pollers; the call returns to its pool after the last of them.
class AsyncCall : public PooledCall {
 public:
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;

  void Post() final;

 protected:
  explicit AsyncCall(CallPool& pool) : pool_(pool) {}

  // Forgets the last RPC, makes a responder and asks gRPC for the next RPC. `arrived` is the tag.
  virtual void RequestNext(grpc::ServerContext& context, void* arrived) = 0;

  // An RPC has arrived. Must lead to exactly one Finish with the tag FinishTag(). The call returns
  // to its pool no earlier than this function returns.
  virtual void OnArrived() = 0;

  // The RPC is done; cancelled() says whether the client cancelled. Finish must still be called
  // once if it was not.
  virtual void OnDone() {}

  // Destroys the responder and large memory. An idle call must not keep its connection open.
  virtual void Release() = 0;

  // The tag for Finish. The call may serve another RPC as soon as Finish has been called outside
  // OnArrived.
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
