// SPDX-License-Identifier: Apache-2.0
// Answers methods that this server does not have. gRPC itself would answer UNIMPLEMENTED with an
// empty message.
#ifndef SERVER_PROTOCOLS_UNKNOWN_METHOD_H_
#define SERVER_PROTOCOLS_UNKNOWN_METHOD_H_

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/status/status.h"
#include "server/rpc/call_pool.h"

namespace lipserve {

// Unimplemented, with what there is instead of `path`, e.g.
// "/inference.GRPCInferenceService/TraceSetting".
absl::Status UnknownMethodError(const std::string& path);

// Adds a pool that answers each call that no other service takes by UnknownMethodError.
//
// Requires: all arguments outlive the calls; `service` is registered with a running server, and
//           `queue` is one of that server's queues.
void AddUnknownMethodCalls(grpc::AsyncGenericService& service, grpc::ServerCompletionQueue& queue,
                           MethodPools& pools);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_UNKNOWN_METHOD_H_
