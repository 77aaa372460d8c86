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
  HealthCheckCall(CallPool& pool, const Method& method, const HealthStatuses& statuses)
      : UnaryCall(pool, method), statuses_(statuses) {}

 private:
  void Handle() override {
    const std::optional<bool> serving = statuses_.Get(request().service());
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
                    grpc::ServerCompletionQueue& queue, MethodPools& pools) {
  const HealthCheckCall::Method check{&service, &queue, &HealthService::RequestCheck};
  pools.Add(kPosted, [check, &statuses](CallPool& pool) {
    return std::make_unique<HealthCheckCall>(pool, check, statuses);
  });
  pools.Add(kPosted, [&statuses, &service, &queue](CallPool& pool) {
    return std::make_unique<HealthWatchCall>(pool, service, queue, statuses);
  });
}

}  // namespace lipserve
