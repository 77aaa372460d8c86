// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CALL_POOLS_H_
#define SERVER_CALL_POOLS_H_

#include <cstddef>
#include <deque>
#include <utility>

#include "server/call_pool.h"

namespace lipserve {

// The pools of all methods of a service.
//
// Threads: used by one thread, the one that starts and stops the server, but for Replenish.
class CallPools {
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

#endif  // SERVER_CALL_POOLS_H_
