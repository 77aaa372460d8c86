// SPDX-License-Identifier: Apache-2.0
// The demo, trained for one epoch and served on loopback.
#ifndef TESTS_INTEGRATION_DEMO_SERVICE_H_
#define TESTS_INTEGRATION_DEMO_SERVICE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/integration/child_process.h"
#include "tests/temporary_folder.h"

namespace lipserve {

// A file of the source tree, e.g. "data/mnist/t10k-images-idx3-ubyte.gz".
std::string SourcePath(const std::string& path);

// The folder of the programs that are tested.
std::string ProgramsFolder();

// Runs lipserve-client with `arguments`.
FinishedProgram RunClient(const std::vector<std::string>& arguments);

// A lipserve-server that answers on loopback.
struct RunningServer {
  std::unique_ptr<ChildProcess> process;
  std::string grpc_address;
  int http_port = 0;
};

// Starts lipserve-server on free ports, with `flags` added.
//
// Errors: Unavailable with the program's standard error if it does not come to serve.
absl::StatusOr<RunningServer> StartServer(const std::string& models_folder,
                                          const std::vector<std::string>& flags = {});

// Trains one epoch of trainer/recipes/mnist08.textproto into the folder `version`.
//
// Errors: Internal with the program's standard error.
absl::Status TrainDemo(const std::string& version);

// A trained model in a folder of its own, and a server that serves it. Both go away at the end.
class DemoService {
 public:
  // Starts a server of version 1, which is trained at the first call in this process.
  //
  // Errors: Internal or Unavailable with the program's standard error.
  static absl::StatusOr<std::unique_ptr<DemoService>> Start();
  DemoService(const DemoService&) = delete;
  DemoService& operator=(const DemoService&) = delete;

  std::string models_folder() const { return folder_.path("models"); }
  std::string model_path() const { return models_folder() + "/mnist08/1/model.lip"; }
  const std::string& grpc_address() const { return server_.grpc_address; }
  ChildProcess& server() { return *server_.process; }

 private:
  DemoService() = default;

  TemporaryFolder folder_;  // outlives the server
  RunningServer server_;
};

}  // namespace lipserve

#endif  // TESTS_INTEGRATION_DEMO_SERVICE_H_
