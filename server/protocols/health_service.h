// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_PROTOCOLS_HEALTH_SERVICE_H_
#define SERVER_PROTOCOLS_HEALTH_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/operations/health_statuses.h"
#include "server/rpc/call_pool.h"

namespace lipserve {

// Adds the calls of grpc.health.v1.Health to `pools`.
//
// gRPC's own health service is not used: it brings at least two more threads that poll. They and
// our pollers wake up for each other's events, and a call then costs twice the CPU.
//
// Requires: statuses, service and queue outlive the calls.
void AddHealthCalls(HealthStatuses& statuses, grpc::health::v1::Health::AsyncService& service,
                    grpc::ServerCompletionQueue& queue, MethodPools& pools);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_HEALTH_SERVICE_H_
