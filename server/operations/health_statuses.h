// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_HEALTH_STATUSES_H_
#define SERVER_OPERATIONS_HEALTH_STATUSES_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/foundation/mutex.h"

namespace lipserve {

// The health status of each service, for clients that check and clients that watch. A service is a
// gRPC service, a model, or "" for the whole server.
//
// Threads: all functions are safe to call from any thread.
class HealthStatuses {
 public:
  // Receives the statuses of one service, from one thread at a time. Must not call back.
  class Watcher {
   public:
    // `serving` is nullopt if there is no such service.
    virtual void OnStatus(std::optional<bool> serving) = 0;
    // There are no more statuses.
    virtual void OnEnd() = 0;

   protected:
    ~Watcher() = default;
  };

  void Set(const std::string& service, bool serving);
  // The status of a service; nullopt if there is no such service.
  std::optional<bool> Get(const std::string& service) const;

  // Calls `watcher` with the current status, and on each change until it is removed.
  void Add(const std::string& service, Watcher& watcher);
  // Removes a watcher, if it is there. Once this returns, it is not called any more.
  void Remove(Watcher& watcher);

  // Ends all watches, also those that are added later. Later changes are ignored.
  void End();

 private:
  struct Watch {
    std::string service;
    Watcher* watcher;
  };

  std::optional<bool> Find(const std::string& service) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, bool> statuses_ ABSL_GUARDED_BY(mutex_);
  std::vector<Watch> watches_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_HEALTH_STATUSES_H_
