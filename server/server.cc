// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "inference/grpc_service.grpc.pb.h"
#include "lipserve/v1/classifier.grpc.pb.h"
#include "model/execution/onednn.h"
#include "model/foundation/mutex.h"
#include "model/foundation/status_macros.h"
#include "server/calls/classification_intake.h"
#include "server/calls/service_context.h"
#include "server/operations/descriptor_limit.h"
#include "server/operations/health.h"
#include "server/operations/http_endpoint.h"
#include "server/operations/liveness.h"
#include "server/operations/log_control.h"
#include "server/operations/log_lines.h"
#include "server/operations/metrics.h"
#include "server/operations/request_log.h"
#include "server/protocols/classifier_service.h"
#include "server/protocols/health_probe.h"
#include "server/protocols/health_service.h"
#include "server/protocols/inference_service.h"
#include "server/protocols/unknown_method.h"
#include "server/repository/model_repository.h"
#include "server/repository/repository_loader.h"
#include "server/rpc/answer_handover.h"
#include "server/rpc/call_pool.h"
#include "server/rpc/completion_pollers.h"
#include "server/rpc/connection_acceptor.h"
#include "server/rpc/listening_sockets.h"
#include "server/scheduling/answer_delivery.h"
#include "server/scheduling/compute_workers.h"
#include "server/scheduling/exact_stage.h"
#include "server/scheduling/quick_compute.h"
#include "server/scheduling/request_queue.h"
#include "server/security/access_control.h"
#include "server/security/transport_security.h"

namespace lipserve {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Time for what is left when the queue is empty: answers on their way to the network, and streams
// that their clients keep open.
constexpr seconds kShutdownTimeout{1};

// How long /livez waits for a sign of life, first of the acceptor, then of gRPC. Kubernetes' probes
// must wait longer for both.
constexpr milliseconds kProbeTimeout{1000};

constexpr auto kFromDescriptor =
    grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD;

int Milliseconds(milliseconds duration) { return static_cast<int>(duration.count()); }

// Bounds what dead or greedy connections can use.
void LimitConnections(const ServerOptions& options, grpc::ServerBuilder& builder) {
  // More than the queue holds. Calls beyond this limit wait inside the client and are never
  // refused.
  const int most_streams = static_cast<int>(2 * options.queue_capacity);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, most_streams);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE,
                             static_cast<int>(AccessControl::kMaxHeaderBytes));
  // TLS, and the first SETTINGS of HTTP/2. By default gRPC waits for two minutes.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(seconds(20)));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(minutes(1)));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(seconds(20)));
  // Clients that ping every 10 to 60 s are common; by default gRPC disconnects them.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(seconds(10)));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(minutes(15)));
  if (options.max_connection_age.count() > 0) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                               Milliseconds(options.max_connection_age));
    // For long calls: a health watch would keep the old connection open for ever.
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Milliseconds(seconds(30)));
  }
}

ConnectionLimits ConnectionLimitsOf(const ServerOptions& options) {
  return {.total = options.max_connections > 0 ? options.max_connections
                                               : DefaultMaxConnections(DescriptorLimit()),
          .per_peer = options.max_connections_per_peer};
}

// The work of one poller.
class ServerWork final : public PollerWork {
 public:
  struct Shared {
    RequestQueue& queue;
    ExactStage& exact_stage;
    AnswerHandover& handover;
    MethodPools& pools;
  };

  ServerWork(const Shared& shared, std::chrono::nanoseconds inline_budget, const Clock& clock)
      : shared_(shared),
        compute_(shared.queue, inline_budget, clock, delivery_, shared.exact_stage) {}

  std::size_t AnswerQuickRequests() override {
    shared_.handover.Drain(delivery_);
    return compute_.Run();
  }
  void CleanUp() override { shared_.pools.Replenish(); }
  bool MayBusyPoll() const override {
    return shared_.queue.IsIdle() && shared_.exact_stage.IsIdle();
  }

 private:
  const Shared shared_;
  PromptDelivery delivery_;
  QuickCompute compute_;
};

// Returns `options` with a log that is filtered by `control`.
ServerOptions WithControlledLog(ServerOptions options, const LogControl& control) {
  options.log = [log = std::move(options.log), &control](const std::string& line) {
    const LogSettings settings = control.Get();
    if (IsWarning(line) ? settings.warning : settings.info) log(line);
  };
  return options;
}

}  // namespace

class Server::Impl {
 public:
  Impl(const ServerOptions& options, const Clock& clock, ThreadCheck check);
  ~Impl() { Stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // The functions of Server.
  absl::Status Start();
  absl::Status WaitUntilServing();
  void RequestStop();
  void WaitForStopRequest();
  void StartDraining();
  void Stop();
  ListenAddress grpc_address() const { return {.host = options_.grpc.host, .port = grpc_port_}; }
  ListenAddress http_address() const { return {.host = options_.http.host, .port = http_->port()}; }
  RepositoryLoader& loader() { return *loader_; }
  const ModelRepository& repository() const { return repository_; }
  bool WaitUntilLoaderEnds(std::chrono::milliseconds timeout) const;
  std::string MetricsText() { return metrics_.Text(); }

 private:
  absl::Status StartHttp();
  absl::Status StartGrpc();
  absl::Status StartThreads();
  absl::Status Probe();
  ServiceContext MakeContext();
  void OnModelsLoaded(const absl::Status& status);
  void OnModelsChanged(const std::map<std::string, bool>& answering);

  LogControl log_control_;
  const ServerOptions options_;  // whose log is filtered by log_control_
  const Clock& clock_;
  const ThreadCheck check_;
  Health health_;
  Metrics metrics_;
  AccessControl access_;
  ModelRepository repository_;
  RequestQueue queue_;
  ExactStage exact_stage_;
  ClassificationIntake intake_;
  RequestLog request_log_;
  Liveness liveness_;
  std::unique_ptr<HttpEndpoint> http_;

  int grpc_port_ = 0;
  v1::ClassifierService::AsyncService classifier_service_;
  inference::GRPCInferenceService::AsyncService inference_service_;
  grpc::health::v1::Health::AsyncService health_service_;
  grpc::AsyncGenericService unknown_methods_;
  std::unique_ptr<grpc::ServerCompletionQueue> completion_queue_;
  std::unique_ptr<grpc::Server> grpc_server_;
  std::unique_ptr<ConnectionAcceptor> acceptor_;
  std::unique_ptr<HealthProbe> probe_;
  std::optional<ServiceContext> context_;
  MethodPools pools_;
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

absl::Status Server::Impl::Start() {
  LIPSERVE_RETURN_IF_ERROR(access_.Read());
  LIPSERVE_RETURN_IF_ERROR(StartHttp());
  LIPSERVE_RETURN_IF_ERROR(repository_.Read());
  LIPSERVE_RETURN_IF_ERROR(StartGrpc());
  return StartThreads();
}

Server::Impl::Impl(const ServerOptions& options, const Clock& clock, ThreadCheck check)
    : log_control_({.errors = options.log_requests > 0, .requests = options.log_requests}),
      options_(WithControlledLog(options, log_control_)),
      clock_(clock),
      check_(std::move(check)),
      health_({v1::ClassifierService::service_full_name(),
               inference::GRPCInferenceService::service_full_name()}),
      metrics_({.version = LIPSERVE_VERSION,
                .instruction_set = onednn::InstructionSet(),
                .onednn_version = onednn::Version(),
                .grpc_version = grpc::Version()}),
      access_({.path = options.security.access_policy,
               .refresh = options.security.refresh,
               .log = options_.log},
              clock),
      repository_({.folder = options.models_folder,
                   .mode = options.repository_mode,
                   .load_models = options.load_models,
                   .max_batch = options.max_batch,
                   .queue_capacity = options.queue_capacity,
                   .budget = options.load_budget,
                   .skip_bad_models = options.skip_bad_models,
                   .log = options_.log,
                   .on_change = [this](const auto& answering) { OnModelsChanged(answering); }},
                  metrics_, clock),
      queue_(options.queue_capacity, metrics_),
      exact_stage_(options.queue_capacity, metrics_, clock),
      intake_({.max_images_per_call = options.max_images_per_call,
               .workers = options.workers,
               .inline_budget = options.inline_budget},
              queue_),
      request_log_(log_control_, options.log_request, clock) {
  metrics_.SetComputeWorkers(options.workers);
}

absl::Status Server::Impl::StartHttp() {
  LIPSERVE_ASSIGN_OR_RETURN(http_,
                            HttpEndpoint::Start(options_.http, metrics_, health_, liveness_));
  return absl::OkStatus();
}

absl::Status Server::Impl::StartGrpc() {
  // Applies to every server of this process that is built after it.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  LIPSERVE_ASSIGN_OR_RETURN(const auto credentials, MakeServerCredentials(options_.security));
  LIPSERVE_ASSIGN_OR_RETURN(ListeningSockets sockets, ListeningSockets::Open(options_.grpc));
  grpc_port_ = sockets.port();
  const std::string warning = SecurityWarning(
      options_.security, options_.grpc.host, options_.repository_mode == RepositoryMode::kExplicit);
  if (!warning.empty()) options_.log(warning);

  grpc::ServerBuilder builder;
  auto receiver =
      builder.experimental().AddExternalConnectionAcceptor(kFromDescriptor, credentials);
  auto probe_receiver = builder.experimental().AddExternalConnectionAcceptor(
      kFromDescriptor, grpc::InsecureServerCredentials());
  const int max_request_bytes = MaxRequestBytes(options_, repository_.largest_input_size());
  builder.SetMaxReceiveMessageSize(max_request_bytes);
  repository_.LimitInputSize(MaxInputSize(static_cast<std::size_t>(max_request_bytes)));
  LimitConnections(options_, builder);
  builder.RegisterService(&classifier_service_);
  builder.RegisterService(&inference_service_);
  builder.RegisterService(&health_service_);
  builder.RegisterAsyncGenericService(&unknown_methods_);
  completion_queue_ = builder.AddCompletionQueue();
  grpc_server_ = builder.BuildAndStart();
  if (grpc_server_ == nullptr) {
    return absl::InternalError("gRPC: expected a server, got none; its log says why");
  }
  acceptor_ = std::make_unique<ConnectionAcceptor>(
      ConnectionAcceptor::Settings{.limits = ConnectionLimitsOf(options_), .log = options_.log},
      std::move(sockets), std::move(receiver), metrics_.connections(), clock_);
  probe_ = std::make_unique<HealthProbe>(std::move(probe_receiver));
  return absl::OkStatus();
}

absl::Status Server::Impl::StartThreads() {
  handover_ = std::make_unique<AnswerHandover>(*completion_queue_);
  LIPSERVE_ASSIGN_OR_RETURN(workers_, ComputeWorkers::Start(options_.workers, queue_, clock_,
                                                            *handover_, exact_stage_, check_));
  LIPSERVE_RETURN_IF_ERROR(exact_stage_.StartThread(check_));
  const auto new_work = [this] {
    return std::make_unique<ServerWork>(
        ServerWork::Shared{queue_, exact_stage_, *handover_, pools_}, options_.inline_budget,
        clock_);
  };
  LIPSERVE_ASSIGN_OR_RETURN(pollers_,
                            CompletionPollers::Start(options_.pollers, *completion_queue_, new_work,
                                                     options_.busy_poll, check_));
  loader_ = std::make_unique<RepositoryLoader>(
      RepositoryLoader::Settings{.poll_interval = options_.repository_poll, .check = check_},
      repository_, [this](const absl::Status& status) { OnModelsLoaded(status); });
  context_.emplace(MakeContext());
  AddClassifierCalls(*context_, classifier_service_, *completion_queue_, pools_);
  AddInferenceCalls(*context_, inference_service_, *completion_queue_, pools_);
  AddHealthCalls(health_.statuses(), health_service_, *completion_queue_, pools_);
  AddUnknownMethodCalls(unknown_methods_, *completion_queue_, pools_);
  pools_.Post();
  pollers_->Begin();
  LIPSERVE_RETURN_IF_ERROR(acceptor_->Start());
  liveness_.SetProbe([this] { return Probe(); });
  return absl::OkStatus();
}

absl::Status Server::Impl::Probe() {
  LIPSERVE_RETURN_IF_ERROR(acceptor_->CheckAnswers(kProbeTimeout));
  return probe_->Ask(kProbeTimeout);
}

ServiceContext Server::Impl::MakeContext() {
  return {.health = health_,
          .access = access_,
          .repository = repository_,
          .loader = *loader_,
          .intake = intake_,
          .request_log = request_log_,
          .log_control = log_control_,
          .metrics = metrics_,
          .clock = clock_,
          .max_images_per_call = options_.max_images_per_call,
          .queue_capacity = options_.queue_capacity,
          .workers = options_.workers,
          .allow_log_changes =
              IsLoopback(options_.grpc.host) || !options_.security.access_policy.empty()};
}

void Server::Impl::OnModelsLoaded(const absl::Status& status) {
  MutexLock lock(mutex_);
  if (status.ok() && !stop_requested_) health_.SetPhase(ServingPhase::kServing);
  loaded_ = status;
  changed_.NotifyAll();
}

void Server::Impl::OnModelsChanged(const std::map<std::string, bool>& answering) {
  // In explicit mode the operator decides which models are enough.
  const bool enough = options_.repository_mode == RepositoryMode::kExplicit ||
                      std::any_of(answering.begin(), answering.end(),
                                  [](const auto& model) { return model.second; });
  health_.SetModels(answering, enough);
}

absl::Status Server::Impl::WaitUntilServing() {
  MutexLock lock(mutex_);
  while (!loaded_.has_value() && !stop_requested_) changed_.Wait(mutex_);
  if (!loaded_.has_value()) return absl::CancelledError("stopped before the models were loaded");
  return *loaded_;
}

void Server::Impl::RequestStop() {
  MutexLock lock(mutex_);
  stop_requested_ = true;
  changed_.NotifyAll();
}

void Server::Impl::WaitForStopRequest() {
  MutexLock lock(mutex_);
  while (!stop_requested_) changed_.Wait(mutex_);
}

void Server::Impl::StartDraining() {
  if (health_.phase() == ServingPhase::kServing) health_.SetPhase(ServingPhase::kDraining);
}

void Server::Impl::Stop() {
  if (std::exchange(stopped_, true)) return;
  RequestStop();
  if (loader_ != nullptr) loader_->RequestStop();
  if (health_.phase() == ServingPhase::kServing && options_.drain_grace.count() > 0) {
    StartDraining();
    std::this_thread::sleep_for(options_.drain_grace);
  }
  health_.SetPhase(ServingPhase::kRefusing);
  liveness_.SetProbe(nullptr);
  workers_.reset();  // closes the queue and finishes what is in it; pollers deliver it
  if (context_.has_value()) {
    queue_.WaitUntilIdle();  // a poller may be executing a request itself
    exact_stage_.Finish();   // nothing submits to it any more
    acceptor_.reset();
    probe_.reset();
    grpc_server_->Shutdown(std::chrono::system_clock::now() + kShutdownTimeout);
    pools_.StopAndWait();
  }
  pollers_.reset();
}

bool Server::Impl::WaitUntilLoaderEnds(std::chrono::milliseconds timeout) const {
  return loader_ == nullptr || loader_->WaitUntilEnded(timeout);
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const Clock& clock, ThreadCheck check) {
  LIPSERVE_RETURN_IF_ERROR(CheckServerOptions(options));
  LIPSERVE_RETURN_IF_ERROR(check());  // this thread helps to empty the queue at the end
  auto impl = std::make_unique<Impl>(options, clock, std::move(check));
  LIPSERVE_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

absl::Status Server::WaitUntilServing() { return impl_->WaitUntilServing(); }
void Server::RequestStop() { impl_->RequestStop(); }
void Server::WaitForStopRequest() { impl_->WaitForStopRequest(); }
void Server::StartDraining() { impl_->StartDraining(); }
void Server::Stop() { impl_->Stop(); }
ListenAddress Server::grpc_address() const { return impl_->grpc_address(); }
ListenAddress Server::http_address() const { return impl_->http_address(); }
RepositoryLoader& Server::loader() { return impl_->loader(); }
const ModelRepository& Server::repository() const { return impl_->repository(); }
bool Server::WaitUntilLoaderEnds(std::chrono::milliseconds timeout) const {
  return impl_->WaitUntilLoaderEnds(timeout);
}
std::string Server::MetricsText() { return impl_->MetricsText(); }

}  // namespace lipserve
