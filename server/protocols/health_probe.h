// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_PROTOCOLS_HEALTH_PROBE_H_
#define SERVER_PROTOCOLS_HEALTH_PROBE_H_

#include <grpcpp/server_builder.h>

#include <chrono>
#include <memory>

#include "absl/status/status.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace lipserve {

// Asks this process's own gRPC server for its health, over a connection that it keeps.
//
//   auto receiver = builder.experimental().AddExternalConnectionAcceptor(FROM_FD, insecure);
//   HealthProbe probe(std::move(receiver));
//   probe.Ask(std::chrono::seconds(1));  // OK: calls are heard and answered
//
// The connection is a pair of sockets inside the process. So it needs no certificate, nobody else
// can use it, and it does not count among the connections of clients.
//
// Threads: one at a time.
class HealthProbe {
 public:
  using Receiver = grpc::experimental::ExternalConnectionAcceptor;

  // Requires: the gRPC server runs whenever Ask is called.
  explicit HealthProbe(std::unique_ptr<Receiver> receiver) : receiver_(std::move(receiver)) {}

  // Any answer of the health service will do, "not serving" too.
  //
  // Errors: DeadlineExceeded without an answer in time; ResourceExhausted without descriptors.
  absl::Status Ask(std::chrono::milliseconds timeout);

 private:
  absl::Status Connect();

  const std::unique_ptr<Receiver> receiver_;
  std::unique_ptr<grpc::health::v1::Health::Stub> stub_;
};

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_HEALTH_PROBE_H_
