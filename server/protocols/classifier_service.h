// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_PROTOCOLS_CLASSIFIER_SERVICE_H_
#define SERVER_PROTOCOLS_CLASSIFIER_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "lipserve/v1/classifier.grpc.pb.h"
#include "server/calls/service_context.h"
#include "server/rpc/call_pool.h"

namespace lipserve {

// Adds the methods of lipserve.v1.ClassifierService to `pools`.
//
// Requires: all arguments outlive the calls; `service` is registered with a running server, and
//           `queue` is one of that server's queues.
void AddClassifierCalls(const ServiceContext& server, v1::ClassifierService::AsyncService& service,
                        grpc::ServerCompletionQueue& queue, MethodPools& pools);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_CLASSIFIER_SERVICE_H_
