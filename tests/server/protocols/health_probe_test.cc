// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/health_probe.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>

namespace lipserve {
namespace {

constexpr auto kFromDescriptor =
    grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD;

class NotServing final : public grpc::health::v1::Health::Service {
  grpc::Status Check(grpc::ServerContext* /*context*/,
                     const grpc::health::v1::HealthCheckRequest* /*request*/,
                     grpc::health::v1::HealthCheckResponse* response) override {
    response->set_status(grpc::health::v1::HealthCheckResponse::NOT_SERVING);
    return grpc::Status::OK;
  }
};

std::unique_ptr<HealthProbe> ProbeOf(grpc::ServerBuilder& builder) {
  return std::make_unique<HealthProbe>(builder.experimental().AddExternalConnectionAcceptor(
      kFromDescriptor, grpc::InsecureServerCredentials()));
}

TEST(HealthProbeTest, AnyAnswerIsASignOfLifeAndAClosedConnectionIsReplaced) {
  NotServing service;
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 5);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 1);
  const std::unique_ptr<HealthProbe> probe = ProbeOf(builder);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  while (std::chrono::steady_clock::now() < end) {
    const absl::Status status = probe->Ask(std::chrono::minutes(1));
    ASSERT_TRUE(status.ok()) << status.message();
  }
}

TEST(HealthProbeTest, AServerThatNobodyPollsIsDead) {
  grpc::health::v1::Health::AsyncService service;
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  const std::unique_ptr<HealthProbe> probe = ProbeOf(builder);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  EXPECT_TRUE(absl::IsDeadlineExceeded(probe->Ask(std::chrono::milliseconds(20))));
  server->Shutdown();
  queue->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) continue;
}

}  // namespace
}  // namespace lipserve
