// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/demo_service.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
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

absl::StatusOr<std::unique_ptr<DemoService>> DemoService::Start() {
  std::string folder = std::filesystem::temp_directory_path() / "lipserve-demo-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) {
    return absl::InternalError(absl::StrCat(folder, ": ", std::strerror(errno)));
  }
  std::unique_ptr<DemoService> service(new DemoService(std::move(folder)));
  if (auto status = TrainDemo(service->models_folder() + "/mnist08/1"); !status.ok()) {
    return status;
  }
  auto server = StartServer(service->models_folder());
  if (!server.ok()) return server.status();
  service->server_ = *std::move(server);
  return service;
}

DemoService::~DemoService() {
  server_.process.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace lipserve
