// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_HEALTH_H_
#define SERVER_OPERATIONS_HEALTH_H_

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/foundation/mutex.h"
#include "server/operations/health_statuses.h"

namespace lipserve {

// The life of a server, in order.
enum class ServingPhase {
  kLoading,   // not ready; calls are refused
  kServing,   // ready
  kDraining,  // not ready, so that load balancers leave; calls are still answered
  kRefusing,  // not ready; new calls are refused, those that have arrived are finished
};

// Whether the server and its models are ready, as gRPC health checks, /readyz and the services see
// it.
//
// Threads: all functions are safe to call from any thread.
class Health {
 public:
  // `services` are the gRPC services, which answer if the server does.
  explicit Health(std::vector<std::string> services = {});

  void SetPhase(ServingPhase phase);
  ServingPhase phase() const { return phase_.load(std::memory_order_acquire); }

  // OK if calls are answered, else Unavailable with the reason.
  absl::Status CheckAcceptsCalls() const;

  // Which models answer, each under its name as a service of the health checks. A model that was
  // named before and is not named now does not answer any more. `enough_models` says whether the
  // server can be of use with these.
  void SetModels(std::map<std::string, bool> answering, bool enough_models);

  // "ready", or why not.
  std::string Describe() const;
  bool IsReady() const { return phase() == ServingPhase::kServing && enough_models_.load(); }

  // What the gRPC health service tells: of "", the whole server, of each service and each model.
  // They end when the server refuses.
  HealthStatuses& statuses() { return statuses_; }

 private:
  void UpdateStatuses() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::vector<std::string> services_;
  HealthStatuses statuses_;
  std::atomic<ServingPhase> phase_{ServingPhase::kLoading};
  std::atomic<bool> enough_models_{true};
  Mutex mutex_;
  std::map<std::string, bool> models_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_HEALTH_H_
