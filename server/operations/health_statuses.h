// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_HEALTH_STATUSES_H_
#define SERVER_OPERATIONS_HEALTH_STATUSES_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/foundation/mutex.h"

namespace lipserve {

// Whether each service answers, for those who ask and those who watch. A service is what clients
// may ask about: a gRPC service, a model, or "" for the whole server.
//
// Threads: all functions are safe to call from any thread.
class HealthStatuses {
 public:
  // Told of a service that it watches, by one thread at a time. Must not call back.
  class Watcher {
   public:
    // nullopt: there is no such service.
    virtual void OnStatus(std::optional<bool> serving) = 0;
    // There will be no more.
    virtual void OnEnd() = 0;

   protected:
    ~Watcher() = default;
  };

  void Set(const std::string& service, bool serving);
  // nullopt if there is no such service.
  std::optional<bool> Get(const std::string& service) const;

  // Tells `watcher` at once, and of each change until it is removed.
  void Add(const std::string& service, Watcher& watcher);
  // The watcher is not called any more once this returns. It need not be there.
  void Remove(Watcher& watcher);

  // Nothing changes any more: tells all watchers, and those who come later.
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
