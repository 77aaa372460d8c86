// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_INFERENCE_CALLS_H_
#define SERVER_INFERENCE_CALLS_H_

#include <grpcpp/grpcpp.h>

#include "inference/grpc_service.grpc.pb.h"
#include "server/call_pools.h"
#include "server/classification_intake.h"

namespace lipserve {

// Adds the methods of inference.GRPCInferenceService to `calls`.
//
// Requires: all arguments outlive the calls; service is registered with a running server, and the
//           queue is one of its.
void AddInferenceCalls(ClassificationIntake& intake,
                       inference::GRPCInferenceService::AsyncService& service,
                       grpc::ServerCompletionQueue& queue, CallPools& calls);

}  // namespace lipserve

#endif  // SERVER_INFERENCE_CALLS_H_
