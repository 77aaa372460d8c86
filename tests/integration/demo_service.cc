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

FinishedProgram RunClient(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {LIPSERVE_CLIENT};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return RunProgram(command);
}

absl::StatusOr<std::unique_ptr<DemoService>> DemoService::Start() {
  std::string folder = std::filesystem::temp_directory_path() / "lipserve-demo-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) {
    return absl::InternalError(absl::StrCat(folder, ": ", std::strerror(errno)));
  }
  std::unique_ptr<DemoService> service(new DemoService(std::move(folder)));
  if (auto status = service->Train(); !status.ok()) return status;
  if (auto status = service->Serve(); !status.ok()) return status;
  return service;
}

DemoService::~DemoService() {
  server_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

absl::Status DemoService::Train() const {
  const FinishedProgram training = RunProgram({LIPSERVE_TRAIN, "train", "--recipe",
                                               SourcePath("trainer/recipes/mnist08.textproto"),
                                               "--data", SourcePath("data/mnist"), "--out",
                                               folder_ + "/models/mnist08/1", "--epochs", "1"});
  if (training.exit_code == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("lipserve-train: expected exit code 0, got ",
                                          training.exit_code, ": ", training.error));
}

absl::Status DemoService::Serve() {
  auto server = ChildProcess::Start({LIPSERVE_SERVER, "--models", folder_ + "/models", "--grpc",
                                     "127.0.0.1:0", "--http", "127.0.0.1:0"});
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  const auto line = server_->WaitForLine("serving: grpc=");
  if (!line.ok()) return line.status();
  const std::size_t begin = line->find('=') + 1;
  grpc_address_ = line->substr(begin, line->find(' ', begin) - begin);
  return absl::OkStatus();
}

}  // namespace lipserve
