// SPDX-License-Identifier: Apache-2.0
#include "tests/benchmarks/service_process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "model/execution/onednn.h"
#include "server/operations/cpu_allowance.h"
#include "server/server.h"
#include "tests/server/small_model.h"

namespace lipserve {
namespace {

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

}  // namespace

ServiceProcess::ServiceProcess(const Serve& serve) {
  if (::pipe(to_child_) != 0 || ::pipe(from_child_) != 0) Fail("pipe");
  pid_ = ::fork();
  if (pid_ < 0) Fail("fork");
  if (pid_ == 0) {
    ::close(to_child_[1]);
    serve(ReadGiven(), [this](int port) {
      if (::write(from_child_[1], &port, sizeof port) != sizeof port) Fail("write");
      char end = 0;
      while (::read(to_child_[0], &end, 1) > 0) continue;  // until the parent lets go
    });
    ::_exit(0);
  }
}

ServiceProcess::~ServiceProcess() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

int ServiceProcess::Begin(const std::string& given) {
  const std::size_t size = given.size();
  if (::write(to_child_[1], &size, sizeof size) != sizeof size ||
      ::write(to_child_[1], given.data(), size) != static_cast<ssize_t>(size)) {
    Fail("write");
  }
  int port = 0;
  if (::read(from_child_[0], &port, sizeof port) != sizeof port) Fail("a service did not start");
  return port;
}

double ServiceProcess::CpuSeconds() const {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
    Fail("clock_getcpuclockid");
  }
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::string ServiceProcess::ReadGiven() const {
  std::size_t size = 0;
  if (::read(to_child_[0], &size, sizeof size) != sizeof size) Fail("read");
  std::string given(size, '\0');
  if (::read(to_child_[0], given.data(), size) != static_cast<ssize_t>(size)) Fail("read");
  return given;
}

ServerOptions OptionsOfThisMachine() {
  const std::size_t cores = AllowedCores();
  ServerOptions options;
  options.workers = cores;
  options.pollers = DefaultPollers(cores);
  options.busy_poll = DefaultBusyPoll(cores);
  return options;
}

void ServeModel(const FrozenModel& model, ServerOptions options,
                const ServiceProcess::PortTaker& take_port) {
  ServeModels({&model, 1}, std::move(options), take_port);
}

void ServeModels(std::span<const FrozenModel> models, ServerOptions options,
                 const ServiceProcess::PortTaker& take_port) {
  onednn::UseStrictFloat32();
  const SteadyClock clock;
  const TemporaryModels folder;
  for (const FrozenModel& model : models) folder.Add(model.name, "1", model);
  options.models_folder = folder.path();
  options.grpc.port = 0;
  options.http.port = 0;
  const std::unique_ptr<Server> server = Server::Start(options, clock).value();
  if (!server->WaitUntilServing().ok()) std::abort();
  take_port(server->grpc_address().port);
}

}  // namespace lipserve
