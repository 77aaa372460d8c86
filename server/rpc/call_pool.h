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

// A call object that is used again and again.
class PooledCall {
 public:
  virtual ~PooledCall() = default;

  // Asks gRPC for the next request of this call's method. The call then goes its way and returns
  // itself to its pool, at the latest when the gRPC server shuts down.
  virtual void Post() = 0;
};

// The calls of one RPC method. A fixed number is posted: each that gets a request is replaced soon,
// because requests that find no posted call are buffered by gRPC without bound; but not before the
// request is answered if that is quick, because posting takes as long as a small model does.
// The pool grows to the largest number of calls that were ever in progress together.
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

  // A posted call has got its request: the next Replenish posts another in its place.
  void CountArrival() { arrived_.fetch_add(1, std::memory_order_relaxed); }

  // Posts as many calls as have arrived since the last time.
  void Replenish();

  // Takes a call back whose last event has come, or that was posted and got no request.
  void Return(PooledCall& call);

  // No call is posted after this returns.
  void StopPosting();

  // Waits until every posted call has returned. Requires: posting has stopped, and the gRPC server
  // has been shut down.
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

// The pools of all methods of a service.
//
// Threads: used by one thread, the one that starts and stops the server, but for Replenish.
class MethodPools {
 public:
  // Adds a method of which `posted` calls are to wait for requests at any time.
  void Add(std::size_t posted, CallPool::Factory factory) {
    methods_.emplace_back(posted, std::move(factory));
  }

  // Starts to take calls.
  void Post() {
    for (Method& method : methods_) method.pool.Post(method.posted);
  }

  // Replaces the calls that have got requests. Requires: all methods have been added.
  // Threads:  any.
  void Replenish() {
    for (Method& method : methods_) method.pool.Replenish();
  }

  // Lets no call be posted any more, then waits until all calls have ended. Requires: the gRPC
  // server has been shut down and the completion queue is still being polled.
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
