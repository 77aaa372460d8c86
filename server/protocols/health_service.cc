// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/health_service.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/protocols/health_watch_call.h"
#include "server/rpc/unary_call.h"

namespace lipserve {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using HealthService = grpc::health::v1::Health::AsyncService;

constexpr std::size_t kPosted = 4;

class HealthCheckCall final
    : public UnaryCall<HealthService, HealthCheckRequest, HealthCheckResponse> {
 public:
  HealthCheckCall(CallPool& home, const Method& method, const HealthStatuses& statuses)
      : UnaryCall(home, method), statuses_(statuses) {}

 private:
  void Handle() override {
    const std::optional<bool> serving = statuses_.Of(request().service());
    if (!serving.has_value()) {
      Finish(absl::NotFoundError(
          absl::StrCat("service: expected a service or a model of this server, or nothing for the "
                       "whole of it, got \"",
                       request().service(), "\"")));
      return;
    }
    response().set_status(*serving ? HealthCheckResponse::SERVING
                                   : HealthCheckResponse::NOT_SERVING);
    Finish(absl::OkStatus());
  }

  const HealthStatuses& statuses_;
};

}  // namespace

void AddHealthCalls(HealthStatuses& statuses, HealthService& service,
                    grpc::ServerCompletionQueue& queue, CallPools& calls) {
  const HealthCheckCall::Method check{&service, &queue, &HealthService::RequestCheck};
  calls.Add(kPosted, [check, &statuses](CallPool& home) {
    return std::make_unique<HealthCheckCall>(home, check, statuses);
  });
  calls.Add(kPosted, [&statuses, &service, &queue](CallPool& home) {
    return std::make_unique<HealthWatchCall>(home, service, queue, statuses);
  });
}

}  // namespace lipserve
