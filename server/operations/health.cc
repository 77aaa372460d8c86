// SPDX-License-Identifier: Apache-2.0
#include "server/operations/health.h"

#include <algorithm>
#include <utility>

namespace lipserve {

Health::Health(std::vector<std::string> services) : services_(std::move(services)) {
  MutexLock lock(mutex_);
  UpdateStatuses();
}

void Health::SetPhase(ServingPhase phase) {
  MutexLock lock(mutex_);
  phase_.store(phase, std::memory_order_release);
  UpdateStatuses();
  if (phase == ServingPhase::kRefusing) statuses_.End();
}

void Health::SetModels(std::map<std::string, bool> answering, bool enough_models) {
  MutexLock lock(mutex_);
  for (const auto& [name, answers] : models_) answering.emplace(name, false);
  models_ = std::move(answering);
  enough_models_.store(enough_models);
  UpdateStatuses();
}

void Health::UpdateStatuses() {
  statuses_.Set("", IsReady());
  for (const std::string& service : services_) statuses_.Set(service, IsReady());
  for (const auto& [name, answers] : models_) {
    // A model must not override the status of a gRPC service of the same name.
    if (std::find(services_.begin(), services_.end(), name) != services_.end()) continue;
    statuses_.Set(name, answers && phase() == ServingPhase::kServing);
  }
}

absl::Status Health::CheckAcceptsCalls() const {
  switch (phase()) {
    case ServingPhase::kLoading:
      return absl::UnavailableError("the server is loading its models; retry later");
    case ServingPhase::kServing:
    case ServingPhase::kDraining:
      return absl::OkStatus();
    case ServingPhase::kRefusing:
      return absl::UnavailableError("the server is draining; try another instance");
  }
  return absl::InternalError("the server is in no known phase");
}

std::string Health::Describe() const {
  switch (phase()) {
    case ServingPhase::kLoading:
      return "not ready: loading models";
    case ServingPhase::kServing:
      return enough_models_.load() ? "ready" : "not ready: no model is served";
    case ServingPhase::kDraining:
    case ServingPhase::kRefusing:
      return "not ready: draining";
  }
  return "not ready: in no known phase";
}

}  // namespace lipserve
