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

// A whole server, with its ports and its threads.
//
//   auto server = Server::Start(options, clock);
//   (*server)->WaitUntilServing();
//   (*server)->WaitForStopRequest();
//   (*server)->Stop();
//
// Life:    Start (listens, not ready) -> models load (ready) -> Stop (drains).
// Threads: RequestStop is safe to call from any thread; the rest from one thread at a time.
class Server {
 public:
  // Opens both ports, reads the model files, and starts to prove and warm up the models on a
  // thread. Every thread that decides answers must pass `check` first.
  //
  // Requires: clock outlives the server; onednn::UseStrictFloat32 was called.
  // Errors:   InvalidArgument for options; Unavailable for a port; those of ModelRepository::Read;
  //           that of the check.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, const Clock& clock,
      ThreadCheck check = CheckStrictFloatingPoint);

  // Calls Stop.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Waits until the models are served.
  //
  // Errors: those of ModelRepository::Start and of the check; Cancelled if a stop was requested
  //         first.
  absl::Status WaitUntilServing();

  // RequestStop ends both waits, and does not stop the server; call Stop for that.
  void RequestStop();
  void WaitForStopRequest();

  // Reports "not ready", so that load balancers leave, and still answers calls.
  void StartDraining();

  // Drains for `drain_grace`, then refuses new calls, finishes the calls that have arrived, and
  // ends all threads. Only the loader's thread may go on, if it is loading a model. A second Stop
  // does nothing.
  void Stop();

  // The addresses that the server listens on, with the actual ports.
  ListenAddress grpc_address() const;
  ListenAddress http_address() const;

  // To load, unload and list models.
  RepositoryLoader& loader();
  const ModelRepository& repository() const;

  // After Stop: waits for at most `timeout` until the loader's thread has ended. Returns whether it
  // has. The destructor waits for it without a limit.
  bool WaitUntilLoaderEnds(std::chrono::milliseconds timeout) const;

  // All metrics, in the format of /metrics.
  std::string MetricsText();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace lipserve

#endif  // SERVER_SERVER_H_
