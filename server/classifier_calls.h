// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CLASSIFIER_CALLS_H_
#define SERVER_CLASSIFIER_CALLS_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>

#include "lipserve/v1/classifier.grpc.pb.h"
#include "server/batch_executor.h"
#include "server/call_pool.h"
#include "server/clock.h"
#include "server/health.h"
#include "server/metrics.h"
#include "server/model_repository.h"
#include "server/request_queue.h"

namespace lipserve {

// What the calls of a service need of the server. All of it outlives the calls.
struct ServiceContext {
  const Health& health;
  const ModelRepository& repository;
  RequestQueue& queue;
  Metrics& metrics;
  const Clock& clock;
  std::size_t max_images_per_call = 0;
  std::size_t workers = 1;  // to estimate when a full queue has room again
  // What is expected to take no longer is left to the poller, for the end of its round.
  std::chrono::nanoseconds inline_budget{0};
};

// lipserve.v1.ClassifierService on a completion queue.
//
// Threads: the calls run on whatever thread polls the queue; this object's functions are called by
//          the thread that owns it.
class ClassifierCalls {
 public:
  using Service = v1::ClassifierService::AsyncService;

  // Requires: service is registered with a running server, and the queue is one of its.
  ClassifierCalls(const ServiceContext& context, Service& service,
                  grpc::ServerCompletionQueue& queue);

  // Starts to take calls.
  void Post();

  // Lets no call be posted any more, then waits until all calls have ended. Requires: the gRPC
  // server has been shut down and the queue is still being polled.
  void StopAndWait();

 private:
  const ServiceContext context_;
  CallPool classify_;
  CallPool describe_model_;
  CallPool list_models_;
};

}  // namespace lipserve

#endif  // SERVER_CLASSIFIER_CALLS_H_
