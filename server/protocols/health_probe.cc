// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/health_probe.h"

#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>
#include <sys/socket.h>

#include <array>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"

namespace lipserve {

absl::Status HealthProbe::Connect() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return absl::ResourceExhaustedError("no file descriptor to ask the gRPC server with");
  }
  // Both ends belong to gRPC from here on.
  Receiver::NewConnectionParameters connection;
  connection.fd = ends[0];
  receiver_->HandleNewConnection(&connection);
  stub_ =
      grpc::health::v1::Health::NewStub(grpc::CreateInsecureChannelFromFd("health-probe", ends[1]));
  return absl::OkStatus();
}

absl::Status HealthProbe::Ask(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::system_clock::now() + timeout;
  grpc::Status status;
  // The server closes old connections; then the probe makes another one.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (stub_ == nullptr) LIPSERVE_RETURN_IF_ERROR(Connect());
    grpc::ClientContext context;
    context.set_deadline(deadline);
    grpc::health::v1::HealthCheckResponse response;
    status = stub_->Check(&context, grpc::health::v1::HealthCheckRequest(), &response);
    if (status.ok()) return absl::OkStatus();
    stub_.reset();
  }
  return absl::DeadlineExceededError(absl::StrCat(
      "the gRPC server does not answer within ", timeout.count(), " ms: ", status.error_message()));
}

}  // namespace lipserve
