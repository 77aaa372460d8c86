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

// The phases of a server, in order.
enum class ServingPhase {
  kLoading,   // not ready; calls are refused
  kServing,   // ready
  kDraining,  // not ready, so that load balancers leave; calls are still answered
  kRefusing,  // not ready; new calls are refused, those that have arrived are finished
};

// The readiness of the server and of its models, for gRPC health checks, /readyz and the services.
//
//   Health health({"lipserve.v1.ClassifierService"});
//   health.SetModels({{"mnist08", true}}, /*enough_models=*/true);
//   health.SetPhase(ServingPhase::kServing);
//   health.IsReady();  // true
//
// Threads: all functions are safe to call from any thread.
class Health {
 public:
  // `services` are gRPC services. They are healthy whenever the server is ready.
  explicit Health(std::vector<std::string> services = {});

  void SetPhase(ServingPhase phase);
  ServingPhase phase() const { return phase_.load(std::memory_order_acquire); }

  // OK if calls are answered in this phase, otherwise Unavailable with the reason.
  absl::Status CheckAcceptsCalls() const;

  // Sets which models answer; each is a service of the health checks under its own name. A model
  // that is missing from `answering` but was set before no longer answers. `enough_models` says
  // whether the server is useful with these models; it is not ready otherwise.
  void SetModels(std::map<std::string, bool> answering, bool enough_models);

  // "ready", or the reason why not.
  std::string Describe() const;
  bool IsReady() const { return phase() == ServingPhase::kServing && enough_models_.load(); }

  // The statuses that the gRPC health service reports: of the whole server (""), of each service
  // and of each model. They end when the phase becomes kRefusing.
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
