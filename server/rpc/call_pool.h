// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_CALL_POOL_H_
#define SERVER_RPC_CALL_POOL_H_

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "model/foundation/mutex.h"

namespace lipserve {

// A call object that is reused for one RPC after another.
class PooledCall {
 public:
  virtual ~PooledCall() = default;

  // Asks gRPC for the next request of this call's method. After serving it, the call returns itself
  // to its pool; at the latest when the gRPC server shuts down.
  virtual void Post() = 0;
};

// The call objects of one RPC method.
//
// A fixed number is posted, that is, waits for requests. Requests that find no posted call are
// buffered by gRPC without bound, so each call that gets a request is soon replaced. A quick
// request is answered first, because posting takes as long as computing a small model. The pool
// grows to the largest number of calls ever in flight together.
//
// Threads: all functions are safe to call from any thread.
class CallPool {
 public:
  using Factory = std::function<std::unique_ptr<PooledCall>(CallPool& pool)>;

  explicit CallPool(Factory factory) : factory_(std::move(factory)) {}
  ~CallPool();
  CallPool(const CallPool&) = delete;
  CallPool& operator=(const CallPool&) = delete;

  // Posts `count` more calls, unless posting has stopped.
  void Post(std::size_t count);

  // Counts a posted call that got its request; the next Replenish posts a replacement.
  void CountArrival() { arrived_.fetch_add(1, std::memory_order_relaxed); }

  // Posts a replacement for each arrival since the last Replenish.
  void Replenish();

  // Takes a call back after its last event, or when it was posted and got no request.
  void Return(PooledCall& call);

  // No call is posted after this returns.
  void StopPosting();

  // Waits until every posted call has returned.
  //
  // Requires: StopPosting was called and the gRPC server is shut down.
  void WaitUntilAllReturned();

 private:
  void PostOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Factory factory_;
  std::atomic<std::size_t> arrived_{0};
  Mutex mutex_;
  CondVar returned_;
  std::vector<std::unique_ptr<PooledCall>> calls_ ABSL_GUARDED_BY(mutex_);
  std::vector<PooledCall*> idle_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

// The call pools of all methods, one pool each.
//
//   MethodPools pools;
//   pools.Add(4, [](CallPool& pool) { return std::make_unique<MyCall>(pool); });
//   pools.Post();         // start to accept calls
//   pools.Replenish();    // pollers, after each round
//   pools.StopAndWait();  // once the gRPC server is shut down
//
// Threads: Replenish is safe to call from any thread; the rest is for the thread that starts and
//          stops the server.
class MethodPools {
 public:
  // Adds a method that keeps `posted` calls waiting for requests.
  void Add(std::size_t posted, CallPool::Factory factory) {
    methods_.emplace_back(posted, std::move(factory));
  }

  // Starts to accept calls.
  void Post() {
    for (Method& method : methods_) method.pool.Post(method.posted);
  }

  // Replaces the calls that got requests.
  //
  // Requires: all methods have been added.
  // Threads:  any.
  void Replenish() {
    for (Method& method : methods_) method.pool.Replenish();
  }

  // Stops posting, then waits until all calls have ended.
  //
  // Requires: the gRPC server is shut down, and the completion queue is still polled.
  void StopAndWait() {
    for (Method& method : methods_) method.pool.StopPosting();
    for (Method& method : methods_) method.pool.WaitUntilAllReturned();
  }

 private:
  struct Method {
    Method(std::size_t count, CallPool::Factory factory)
        : posted(count), pool(std::move(factory)) {}

    const std::size_t posted;
    CallPool pool;
  };

  std::deque<Method> methods_;
};

}  // namespace lipserve

#endif  // SERVER_RPC_CALL_POOL_H_
