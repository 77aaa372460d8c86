// SPDX-License-Identifier: Apache-2.0
// lipserve-server: serves certified classifiers over gRPC.
#include <malloc.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/arithmetic/floating_point_canary.h"
#include "model/execution/onednn.h"
#include "server/operations/clock.h"
#include "server/operations/descriptor_limit.h"
#include "server/operations/grpc_log.h"
#include "server/operations/log_lines.h"
#include "server/operations/termination_signals.h"
#include "server/repository_check.h"
#include "server/server.h"
#include "server/server_flags.h"

namespace lipserve {
namespace {

constexpr int kExitStopped = 0;
constexpr int kExitFailed = 1;
constexpr std::chrono::milliseconds kLoaderTimeout{200};

// Writes to stderr, a line at a time.
class Log {
 public:
  explicit Log(LogFormat format) : format_(format) {}

  template <typename Event>
  void operator()(const Event& event) const {
    std::cerr << LogLine(format_, event, std::chrono::system_clock::now()) + "\n";
  }

 private:
  LogFormat format_;
};

std::string DescribeThreads(const ServerOptions& options) {
  return absl::StrCat("threads: ", options.pollers, " for gRPC (busy poll ",
                      options.busy_poll.count(), " us), ", options.workers,
                      " to compute with 1 OpenMP thread each, 2 for HTTP; oneDNN ",
                      onednn::Version(), " on ", onednn::InstructionSet());
}

int Fail(const Log& log, const absl::Status& status) {
  log(std::string(status.message()));
  return kExitFailed;
}

int Check(const Log& log, const ServerOptions& options) {
  // This thread proves models, so it must pass the check.
  if (const absl::Status status = CheckStrictFloatingPoint(); !status.ok())
    return Fail(log, status);
  const SteadyClock clock;
  return CheckRepository(options, clock, std::cout, std::cerr) ? kExitStopped : kExitFailed;
}

int Serve(const Log& log, const ServerOptions& options) {
  BlockTerminationSignals();  // before any other thread starts
  const SteadyClock clock;
  const GrpcLog grpc_log(options.log, clock);
  log(DescribeThreads(options));
  std::unique_ptr<Server> server;  // outlives `signals`
  std::atomic<Server*> running{nullptr};
  const TerminationSignals signals([&running, &log](int signal) {
    Server* const target = running.load();
    if (target == nullptr) {
      log(absl::StrCat("signal ", signal, ": stopped before anything was promised to anybody"));
      std::_Exit(kExitStopped);
    }
    log(absl::StrCat("signal ", signal, ": draining; the next signal ends at once"));
    target->RequestStop();
  });
  absl::StatusOr<std::unique_ptr<Server>> started = Server::Start(options, clock);
  if (!started.ok()) return Fail(log, started.status());
  server = *std::move(started);
  running.store(server.get());

  const absl::Status serving = server->WaitUntilServing();
  if (!serving.ok() && !absl::IsCancelled(serving)) return Fail(log, serving);
  if (serving.ok()) {
    // For programs that start this one: calls are answered once this line appears.
    std::cout << "serving: grpc=" << ToString(server->grpc_address())
              << " http=" << ToString(server->http_address()) << std::endl;
  }
  server->WaitForStopRequest();
  server->Stop();
  log(std::string("stopped"));
  // Proving a large model takes longer than an operator wants to wait for the server to stop.
  if (!server->WaitUntilLoaderEnds(kLoaderTimeout)) std::_Exit(kExitStopped);
  return kExitStopped;
}

}  // namespace
}  // namespace lipserve

int main(int argc, char** argv) {
  // One malloc arena: with two, up to 60 MiB stayed unused after thousands of disconnects.
  ::mallopt(M_ARENA_MAX, 1);
  // The usual soft limit of 1024 is for programs that call select().
  lipserve::RaiseDescriptorLimit();
  lipserve::ServerCommand command = lipserve::ParseServerFlags(argc, argv);
  if (command.exit_code.has_value()) return *command.exit_code;
  const lipserve::Log log(command.log_format);
  command.options.log = log;
  command.options.log_request = log;
  lipserve::onednn::UseStrictFloat32();
  return command.check_only ? lipserve::Check(log, command.options)
                            : lipserve::Serve(log, command.options);
}
