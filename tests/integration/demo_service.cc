// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/demo_service.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace lipserve {

std::string SourcePath(const std::string& path) {
  return absl::StrCat(LIPSERVE_SOURCE_FOLDER, "/", path);
}

std::string ProgramsFolder() {
  return std::filesystem::path(LIPSERVE_TRAIN).parent_path().string();
}

FinishedProgram RunClient(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {LIPSERVE_CLIENT};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return RunProgram(command);
}

namespace {

// The text between `key` and the next space.
std::string FieldOf(const std::string& line, const std::string& key) {
  const std::size_t begin = line.find(key) + key.size();
  return line.substr(begin, line.find(' ', begin) - begin);
}

}  // namespace

absl::StatusOr<RunningServer> StartServer(const std::string& models_folder,
                                          const std::vector<std::string>& flags) {
  std::vector<std::string> command = {LIPSERVE_SERVER, "--models", models_folder, "--grpc",
                                      "127.0.0.1:0",   "--http",   "127.0.0.1:0"};
  command.insert(command.end(), flags.begin(), flags.end());
  auto process = ChildProcess::Start(command);
  if (!process.ok()) return process.status();
  const auto line = (*process)->WaitForLine("serving: grpc=");
  if (!line.ok()) return line.status();
  const std::string http = FieldOf(*line, "http=");
  return RunningServer{.process = *std::move(process),
                       .grpc_address = FieldOf(*line, "grpc="),
                       .http_port = std::atoi(http.substr(http.rfind(':') + 1).c_str())};
}

absl::Status TrainDemo(const std::string& version) {
  const FinishedProgram training = RunProgram(
      {LIPSERVE_TRAIN, "train", "--recipe", SourcePath("trainer/recipes/mnist08.textproto"),
       "--data", SourcePath("data/mnist"), "--out", version, "--epochs", "1"});
  if (training.exit_code == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("lipserve-train: expected exit code 0, got ",
                                          training.exit_code, ": ", training.error));
}

namespace {

// The demo, trained once in this process.
class TrainedDemo {
 public:
  TrainedDemo() : status_(TrainDemo(folder_.path("mnist08/1"))) {}

  // Copies it to `models_folder`/mnist08/1.
  absl::Status CopyTo(const std::string& models_folder) const {
    if (!status_.ok()) return status_;
    std::error_code error;
    std::filesystem::copy(folder_.path(), models_folder, std::filesystem::copy_options::recursive,
                          error);
    if (!error) return absl::OkStatus();
    return absl::InternalError(absl::StrCat(models_folder, ": ", error.message()));
  }

 private:
  TemporaryFolder folder_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DemoService>> DemoService::Start() {
  static const TrainedDemo demo;
  std::unique_ptr<DemoService> service(new DemoService());
  if (auto status = demo.CopyTo(service->models_folder()); !status.ok()) return status;
  auto server = StartServer(service->models_folder());
  if (!server.ok()) return server.status();
  service->server_ = *std::move(server);
  return service;
}

}  // namespace lipserve
