// SPDX-License-Identifier: Apache-2.0
// The life of a watch of the health service, on gRPC's completion queue.
//
//   Post -> arrived -> [write a status, wait for another]* -> Finish -> back to the pool
#ifndef SERVER_HEALTH_WATCH_CALL_H_
#define SERVER_HEALTH_WATCH_CALL_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <optional>

#include "grpc/health/v1/health.grpc.pb.h"
#include "model/concurrency/mutex.h"
#include "server/call_pool.h"
#include "server/completion_event.h"
#include "server/health_statuses.h"

namespace lipserve {

// A call of grpc.health.v1.Health.Watch. A client that reads slowly misses statuses that were soon
// replaced, never the last.
//
// Threads: events come on pollers, at most one of each kind at a time; statuses from any thread.
class HealthWatchCall final : public PooledCall, private HealthStatuses::Watcher {
 public:
  using Service = grpc::health::v1::Health::AsyncService;

  HealthWatchCall(CallPool& home, Service& service, grpc::ServerCompletionQueue& queue,
                  HealthStatuses& statuses)
      : home_(home), service_(service), queue_(queue), statuses_(statuses) {}
  HealthWatchCall(const HealthWatchCall&) = delete;
  HealthWatchCall& operator=(const HealthWatchCall&) = delete;

  void Post() override;

 private:
  using Response = grpc::health::v1::HealthCheckResponse;

  void OnStatus(std::optional<bool> serving) override;
  void OnEnd() override;

  void OnArrived(bool ok);
  void OnWritten(bool ok);
  void OnDone(bool ok);
  void OnFinished(bool /*ok*/) { CloseEvent(); }
  void CloseEvent();

  // Starts whatever can be started now.
  void GoOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  CallPool& home_;
  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  HealthStatuses& statuses_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncWriter<Response>> writer_;
  grpc::health::v1::HealthCheckRequest request_;
  Response response_;
  std::atomic<int> open_events_{0};

  Mutex mutex_;
  std::optional<Response::ServingStatus> next_ ABSL_GUARDED_BY(mutex_);  // to be written
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // nothing comes after `next_`
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;

  CallEvent<HealthWatchCall, &HealthWatchCall::OnArrived> arrived_event_{*this};
  CallEvent<HealthWatchCall, &HealthWatchCall::OnWritten> written_event_{*this};
  CallEvent<HealthWatchCall, &HealthWatchCall::OnDone> done_event_{*this};
  CallEvent<HealthWatchCall, &HealthWatchCall::OnFinished> finished_event_{*this};
};

}  // namespace lipserve

#endif  // SERVER_HEALTH_WATCH_CALL_H_
