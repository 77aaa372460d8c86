// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SERVER_H_
#define SERVER_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "inference/grpc_service.grpc.pb.h"
#include "lipserve/v1/classifier.grpc.pb.h"
#include "model/certificate/floating_point_canary.h"
#include "model/concurrency/mutex.h"
#include "server/access_control.h"
#include "server/answer_handover.h"
#include "server/call_pools.h"
#include "server/checked_threads.h"
#include "server/classification_intake.h"
#include "server/clock.h"
#include "server/completion_pollers.h"
#include "server/compute_workers.h"
#include "server/health.h"
#include "server/http_endpoint.h"
#include "server/metrics.h"
#include "server/model_repository.h"
#include "server/repository_loader.h"
#include "server/request_log.h"
#include "server/request_queue.h"
#include "server/server_options.h"

namespace lipserve {

// A whole server, from its ports to its threads.
//
// Life:    Start (listens, not ready) -> models load (ready) -> Stop (drains).
// Threads: RequestStop is safe to call from any thread; the rest from one thread at a time.
class Server {
 public:
  // Opens both ports, reads the model files, and starts to prove and warm them on a thread. Every
  // thread that decides answers passes `check` first.
  //
  // Requires: clock outlives the server; onednn::UseStrictFloat32 was called.
  // Errors:   InvalidArgument for options; Unavailable for a port; those of ModelRepository::Read;
  //           that of the check.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, const Clock& clock,
      ThreadCheck check = CheckStrictFloatingPoint);

  // Stops.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Waits until the models are served.
  //
  // Errors: those of ModelRepository::Start and of the check; Cancelled if a stop was requested
  // first.
  absl::Status WaitUntilServing();

  // Wakes up those who wait; call Stop to stop.
  void RequestStop();
  void WaitForStopRequest();

  // Says "not ready" so that load balancers leave, and goes on answering.
  void StartDraining();

  // Drains for the grace, then refuses new calls, finishes those that have arrived, and ends all
  // threads, except that of a model that is still being loaded. Does nothing the second time.
  void Stop();

  // The addresses it listens on, with their actual ports.
  ListenAddress grpc_address() const;
  ListenAddress http_address() const;

  // Loads, unloads and looks at models by request.
  RepositoryLoader& loader() { return *loader_; }
  const ModelRepository& repository() const { return repository_; }

  // After Stop: waits, at most so long, until no model is being loaded any more. Destruction waits
  // without a limit. Returns whether it has ended.
  bool WaitUntilLoaderEnds(std::chrono::milliseconds patience) const;

  // All metrics, as /metrics gives them.
  std::string MetricsText() { return metrics_.Text(); }

 private:
  Server(const ServerOptions& options, const Clock& clock, ThreadCheck check);
  absl::Status StartHttp();
  absl::Status StartGrpc();
  absl::Status StartThreads();
  void ModelsAreLoaded(const absl::Status& status);
  void ModelsHaveChanged(const std::map<std::string, bool>& answering);

  LogControl log_control_;
  const ServerOptions options_;  // whose log is under log_control_
  const Clock& clock_;
  const ThreadCheck check_;
  Health health_;
  Metrics metrics_;
  AccessControl access_;
  ModelRepository repository_;
  RequestQueue queue_;
  RequestLog request_log_;
  std::unique_ptr<HttpEndpoint> http_;

  int grpc_port_ = 0;
  v1::ClassifierService::AsyncService classifier_service_;
  inference::GRPCInferenceService::AsyncService inference_service_;
  grpc::health::v1::Health::AsyncService health_service_;
  std::unique_ptr<grpc::ServerCompletionQueue> completion_queue_;
  std::unique_ptr<grpc::Server> grpc_server_;
  std::unique_ptr<ClassificationIntake> intake_;
  CallPools calls_;
  std::unique_ptr<AnswerHandover> handover_;
  std::unique_ptr<CompletionPollers> pollers_;
  std::unique_ptr<ComputeWorkers> workers_;

  Mutex mutex_;
  CondVar changed_;
  std::optional<absl::Status> loaded_ ABSL_GUARDED_BY(mutex_);
  bool stop_requested_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ = false;
  std::unique_ptr<RepositoryLoader> loader_;
};

}  // namespace lipserve

#endif  // SERVER_SERVER_H_
