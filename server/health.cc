// SPDX-License-Identifier: Apache-2.0
#include "server/health.h"

#include <grpcpp/health_check_service_interface.h>

#include <utility>

namespace lipserve {

void Health::ReportTo(grpc::HealthCheckServiceInterface* grpc_health,
                      std::vector<std::string> services) {
  MutexLock lock(mutex_);
  grpc_health_ = grpc_health;
  services_ = std::move(services);
  Report();
}

void Health::Enter(ServingPhase phase) {
  MutexLock lock(mutex_);
  phase_.store(phase, std::memory_order_release);
  Report();
  if (phase == ServingPhase::kRefusing) grpc_health_ = nullptr;
}

void Health::Report() {
  if (grpc_health_ == nullptr) return;
  grpc_health_->SetServingStatus(IsReady());
  for (const std::string& service : services_) {
    grpc_health_->SetServingStatus(service, IsReady());
  }
}

absl::Status Health::CheckAnswering() const {
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
      return "ready";
    case ServingPhase::kDraining:
    case ServingPhase::kRefusing:
      return "not ready: draining";
  }
  return "not ready: in no known phase";
}

}  // namespace lipserve
