// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_PROTOCOLS_INFERENCE_SERVICE_H_
#define SERVER_PROTOCOLS_INFERENCE_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "inference/grpc_service.grpc.pb.h"
#include "server/calls/service_context.h"
#include "server/rpc/call_pool.h"

namespace lipserve {

// Adds the methods of inference.GRPCInferenceService to `pools`.
//
// Requires: all arguments outlive the calls; `service` is registered with a running server, and
//           `queue` is one of that server's queues.
void AddInferenceCalls(const ServiceContext& server,
                       inference::GRPCInferenceService::AsyncService& service,
                       grpc::ServerCompletionQueue& queue, MethodPools& pools);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_INFERENCE_SERVICE_H_
