// SPDX-License-Identifier: Apache-2.0
// The demo, trained for one epoch and served on loopback.
#ifndef TESTS_INTEGRATION_DEMO_SERVICE_H_
#define TESTS_INTEGRATION_DEMO_SERVICE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/integration/child_process.h"

namespace lipserve {

// A file of the source tree, e.g. "data/mnist/t10k-images-idx3-ubyte.gz".
std::string SourcePath(const std::string& path);

// Runs lipserve-client with `arguments`.
FinishedProgram RunClient(const std::vector<std::string>& arguments);

// A trained model in a folder of its own, and a server that serves it. Both go away at the end.
class DemoService {
 public:
  // Trains trainer/recipes/mnist08.textproto for one epoch with lipserve-train and starts
  // lipserve-server on free ports.
  //
  // Errors: Internal or Unavailable with the program's standard error.
  static absl::StatusOr<std::unique_ptr<DemoService>> Start();
  ~DemoService();
  DemoService(const DemoService&) = delete;
  DemoService& operator=(const DemoService&) = delete;

  std::string model_path() const { return folder_ + "/models/mnist08/1/model.lip"; }
  const std::string& grpc_address() const { return grpc_address_; }
  ChildProcess& server() { return *server_; }

 private:
  explicit DemoService(std::string folder) : folder_(std::move(folder)) {}
  absl::Status Train() const;
  absl::Status Serve();

  std::string folder_;
  std::string grpc_address_;
  std::unique_ptr<ChildProcess> server_;
};

}  // namespace lipserve

#endif  // TESTS_INTEGRATION_DEMO_SERVICE_H_
