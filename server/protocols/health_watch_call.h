// SPDX-License-Identifier: Apache-2.0
// The life of a Watch call of the health service, on gRPC's completion queue.
//
//   Post -> arrived -> [write a status, wait for another]* -> Finish -> back to the pool
#ifndef SERVER_PROTOCOLS_HEALTH_WATCH_CALL_H_
#define SERVER_PROTOCOLS_HEALTH_WATCH_CALL_H_

#include <grpcpp/grpcpp.h>

#include <optional>

#include "grpc/health/v1/health.grpc.pb.h"
#include "model/foundation/mutex.h"
#include "server/operations/health_statuses.h"
#include "server/rpc/async_call.h"
#include "server/rpc/completion_event.h"

namespace lipserve {

// A call of grpc.health.v1.Health.Watch. A slow client may miss intermediate statuses, but never
// the last one.
//
// Threads: pollers deliver events, at most one of each kind at a time. Statuses come from any
//          thread.
class HealthWatchCall final : public AsyncCall, private HealthStatuses::Watcher {
 public:
  using Service = grpc::health::v1::Health::AsyncService;

  HealthWatchCall(CallPool& pool, Service& service, grpc::ServerCompletionQueue& queue,
                  HealthStatuses& statuses)
      : AsyncCall(pool), service_(service), queue_(queue), statuses_(statuses) {}

 private:
  using Response = grpc::health::v1::HealthCheckResponse;

  void OnStatus(std::optional<bool> serving) override;
  void OnEnd() override;

  void RequestNext(grpc::ServerContext& context, void* arrived) override;
  void OnArrived() override;
  void OnDone() override;
  void Release() override { writer_.reset(); }
  void OnWritten(bool ok);

  // Starts each operation that can start now.
  void StartOperations() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  HealthStatuses& statuses_;
  std::optional<grpc::ServerAsyncWriter<Response>> writer_;
  grpc::health::v1::HealthCheckRequest request_;
  Response response_;

  Mutex mutex_;
  std::optional<Response::ServingStatus> next_ ABSL_GUARDED_BY(mutex_);  // the status to write next
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // no status follows `next_`
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;

  CallEvent<HealthWatchCall, &HealthWatchCall::OnWritten> written_event_{*this};
};

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_HEALTH_WATCH_CALL_H_
