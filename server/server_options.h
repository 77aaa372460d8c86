// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SERVER_OPTIONS_H_
#define SERVER_SERVER_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/loading_cost.h"
#include "server/operations/listen_address.h"
#include "server/operations/request_log.h"
#include "server/repository/repository_mode.h"
#include "server/security/transport_security.h"

namespace lipserve {

// All options of a server. The defaults need no tuning.
struct ServerOptions {
  std::string models_folder;  // the model repository
  RepositoryMode repository_mode = RepositoryMode::kFixed;
  std::chrono::milliseconds repository_poll{2000};  // between two polls of the folder; 0: never
  std::vector<std::string> load_models;             // loaded at the start, in explicit mode
  bool skip_bad_models = false;
  LoadingBudget load_budget = {};  // what loading a model may take

  ListenAddress grpc{.host = "127.0.0.1", .port = 8001};
  ListenAddress http{.host = "127.0.0.1", .port = 8002};

  SecurityFiles security;  // of gRPC; by default anyone who reaches the port may call

  // Compute threads, with one OpenMP thread each. With 0, only pollers compute; other requests wait
  // until the server stops. That is useful in tests only.
  std::size_t workers = 1;
  std::size_t pollers = 1;  // threads that poll gRPC

  std::size_t max_batch = 16;  // most images in one batch; a model may have a lower limit
  std::size_t max_images_per_call = 256;
  std::size_t queue_capacity = 1024;  // most images that may wait for one version of a model
  // Largest request message. 0 takes what the models present at the start need.
  std::size_t max_request_bytes = 0;

  // A poller computes batches itself that are expected to take at most this long. Between two polls
  // of the network it computes for up to QuickCompute::kMaxBudgetsPerRun budgets.
  std::chrono::microseconds inline_budget{200};

  // Most connections to the gRPC port, and most of one peer (0: no limit); more are refused. For
  // max_connections, 0 is DefaultMaxConnections.
  std::size_t max_connections = 0;
  std::size_t max_connections_per_peer = 0;

  // The longest busy poll of a poller (see BusyPoll); 0: no busy polling.
  std::chrono::microseconds busy_poll{0};

  // When clients are told to reconnect, without losing a call. Clients that resolve a name then
  // find new servers. 0: never.
  std::chrono::seconds max_connection_age{1800};

  // How long to answer calls after reporting "not ready", so that load balancers can notice.
  std::chrono::milliseconds drain_grace{0};

  // Every log_requests-th successful request goes to log_request, and failed ones at a bounded
  // rate. With 0, neither does.
  std::uint32_t log_requests = 0;
  RequestLog::Write log_request = [](const AnsweredRequest&) {};

  // Receives log lines.
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

// Validates the options.
//
// Errors: InvalidArgument naming the flag, what was expected and what was found.
absl::Status CheckServerOptions(const ServerOptions& options);

// The number of pollers for a machine of `cores`: half of them, at least one. Further pollers take
// events for which another one was woken; on two cores a second one doubles the CPU of a call.
std::size_t DefaultPollers(std::size_t cores);

// ServerOptions::busy_poll for a machine of `cores`. On one core there is none, because clients and
// workers need the core.
std::chrono::microseconds DefaultBusyPoll(std::size_t cores);

// Most connections that `descriptors` file descriptors allow: each takes two, and what else the
// server opens takes 256.
std::size_t MostConnections(std::size_t descriptors);

// ServerOptions::max_connections for a process that may have so many file descriptors.
std::size_t DefaultMaxConnections(std::size_t descriptors);

// The largest request message in bytes. One image has `input_size` numbers.
int MaxRequestBytes(const ServerOptions& options, std::size_t input_size);

// The size, in numbers, of the largest image that fits a request of `max_request_bytes`.
std::size_t MaxInputSize(std::size_t max_request_bytes);

}  // namespace lipserve

#endif  // SERVER_SERVER_OPTIONS_H_
