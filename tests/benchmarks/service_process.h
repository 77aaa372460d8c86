// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_BENCHMARKS_SERVICE_PROCESS_H_
#define TESTS_BENCHMARKS_SERVICE_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <span>
#include <string>

#include "model/network/model_file.h"
#include "server/server_options.h"

namespace lipserve {

// A service in a process of its own, which ends with this object.
class ServiceProcess {
 public:
  // `serve` gets what `Begin` is given, starts the service, hands its port to the function and must
  // keep serving until that returns. Requires: this process has not used gRPC yet.
  using PortTaker = std::function<void(int port)>;
  using Serve = std::function<void(const std::string& given, const PortTaker& take_port)>;

  explicit ServiceProcess(const Serve& serve);
  ~ServiceProcess();
  ServiceProcess(const ServiceProcess&) = delete;
  ServiceProcess& operator=(const ServiceProcess&) = delete;

  // Starts the service; returns its port.
  int Begin(const std::string& given);

  double CpuSeconds() const;

 private:
  std::string ReadGiven() const;

  int to_child_[2]{};
  int from_child_[2]{};
  pid_t pid_ = -1;
};

// What lipserve-server takes on this machine where no flag says otherwise.
ServerOptions OptionsOfThisMachine();

// Serve `model`, or several of different names, on free ports.
void ServeModel(const FrozenModel& model, ServerOptions options,
                const ServiceProcess::PortTaker& take_port);
void ServeModels(std::span<const FrozenModel> models, ServerOptions options,
                 const ServiceProcess::PortTaker& take_port);

}  // namespace lipserve

#endif  // TESTS_BENCHMARKS_SERVICE_PROCESS_H_
