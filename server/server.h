// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SERVER_H_
#define SERVER_SERVER_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/arithmetic/floating_point_canary.h"
#include "server/operations/checked_threads.h"
#include "server/operations/clock.h"
#include "server/operations/listen_address.h"
#include "server/server_options.h"

namespace lipserve {

class ModelRepository;
class RepositoryLoader;

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

  // Loads and unloads models by request, and lists them.
  RepositoryLoader& loader();
  const ModelRepository& repository() const;

  // After Stop: waits, at most so long, until no model is being loaded any more. Destruction waits
  // without a limit. Returns whether it has ended.
  bool WaitUntilLoaderEnds(std::chrono::milliseconds timeout) const;

  // All metrics, as /metrics gives them.
  std::string MetricsText();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace lipserve

#endif  // SERVER_SERVER_H_
