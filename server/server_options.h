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
#include "server/operations/listen_address.h"
#include "server/operations/request_log.h"
#include "server/repository/repository_mode.h"
#include "server/security/transport_security.h"

namespace lipserve {

// Everything that a server can be told. The defaults need no tuning.
struct ServerOptions {
  std::string models_folder;  // the model repository
  RepositoryMode repository_mode = RepositoryMode::kFixed;
  std::chrono::milliseconds repository_poll{2000};  // between two looks at the folder; 0: none
  std::vector<std::string> load_models;             // to be loaded at the start in explicit mode
  bool skip_bad_models = false;

  ListenAddress grpc{.host = "127.0.0.1", .port = 8001};
  ListenAddress http{.host = "127.0.0.1", .port = 8002};

  SecurityFiles security;  // of gRPC; without any, whoever reaches the port may call

  // Threads that compute, one OpenMP thread each. With none, requests wait until the server stops
  // unless a poller executes them: of use to tests only.
  std::size_t workers = 1;
  std::size_t pollers = 1;  // threads that wait for gRPC

  std::size_t max_batch = 16;  // most images that are computed together; models may have less
  std::size_t max_images_per_call = 256;
  std::size_t queue_capacity = 1024;  // images that may wait for one version of a model
  // Largest request message; 0 takes what the models need that are there at the start.
  std::size_t max_request_bytes = 0;

  // A poller computes batches itself that are expected to take no longer, up to
  // QuickCompute::kMaxBudgetsPerRun times that between two looks at the network.
  std::chrono::microseconds inline_budget{200};

  // How long at most a poller looks for the next request without sleeping (BusyPoll); 0: not at
  // all.
  std::chrono::microseconds busy_poll{0};

  // When clients are told to connect anew, without losing a call, so that those that find servers
  // by name come to see new ones; 0: never.
  std::chrono::seconds max_connection_age{1800};

  // How long to answer calls after saying "not ready", so that load balancers can notice.
  std::chrono::milliseconds drain_grace{0};

  // Of the requests that went well, each so-many-th is told to log_request, and a bounded number of
  // errors; 0: none at all.
  std::uint32_t log_requests = 0;
  RequestLog::Write log_request = [](const AnsweredRequest&) {};

  // Gets lines for people.
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

// Errors: InvalidArgument naming the flag, what was expected and what was found.
absl::Status CheckServerOptions(const ServerOptions& options);

// Threads that wait for gRPC on a machine of `cores`: one for two. Each further one takes events
// that another has been woken for; on two cores a second one doubles the CPU of a call.
std::size_t DefaultPollers(std::size_t cores);

// ServerOptions::busy_poll on a machine of `cores`: none on one, where clients and workers need it.
std::chrono::microseconds DefaultBusyPoll(std::size_t cores);

// Largest request message in bytes, if one image has `input_size` numbers.
int MaxRequestBytes(const ServerOptions& options, std::size_t input_size);

// Numbers in the largest image that a request of `max_request_bytes` can carry.
std::size_t MaxInputSize(std::size_t max_request_bytes);

}  // namespace lipserve

#endif  // SERVER_SERVER_OPTIONS_H_
