// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CLASSIFIER_CALLS_H_
#define SERVER_CLASSIFIER_CALLS_H_

#include <grpcpp/grpcpp.h>

#include "lipserve/v1/classifier.grpc.pb.h"
#include "server/call_pools.h"
#include "server/classification_intake.h"

namespace lipserve {

// Adds the methods of lipserve.v1.ClassifierService to `calls`.
//
// Requires: all arguments outlive the calls; service is registered with a running server, and the
//           queue is one of its.
void AddClassifierCalls(ClassificationIntake& intake, v1::ClassifierService::AsyncService& service,
                        grpc::ServerCompletionQueue& queue, CallPools& calls);

}  // namespace lipserve

#endif  // SERVER_CLASSIFIER_CALLS_H_
