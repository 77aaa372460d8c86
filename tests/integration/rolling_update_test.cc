// SPDX-License-Identifier: Apache-2.0
// An operator's day: a server that polls its repository, a trainer that writes into it, a version
// that comes, becomes the canary, and goes.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/child_process.h"
#include "tests/integration/demo_service.h"

namespace lipserve {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class RollingUpdateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    models_ = folder_.path("models");
    fs::create_directories(models_);
    absl::StatusOr<RunningServer> server =
        StartServer(models_, {"--repository-mode", "poll", "--repository-poll-ms", "1"});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::vector<nlohmann::json> Client(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(),
                     {"--json", "--server", server_.grpc_address, "--timeout", "60s"});
    const FinishedProgram run = RunClient(arguments);
    std::istringstream stream(run.output);
    std::vector<nlohmann::json> lines;
    for (std::string line; std::getline(stream, line);) {
      lines.push_back(nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false));
    }
    return lines;
  }

  // Waits until exactly these versions are served.
  void WaitForVersions(const std::set<int>& versions) const {
    for (std::set<int> served; served != versions;) {
      served.clear();
      for (const auto& model : Client({"models"})) served.insert(model["model_version"].get<int>());
    }
  }

  // The version that answers a request with these flags, or 0.
  int VersionThatAnswers(const std::vector<std::string>& flags) const {
    std::vector<std::string> arguments = {"classify",
                                          "--model",
                                          "mnist08",
                                          "--input",
                                          SourcePath("data/mnist/t10k-images-idx3-ubyte.gz"),
                                          "--limit",
                                          "1"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const std::vector<nlohmann::json> answers = Client(arguments);
    return answers.size() == 1 ? answers[0]["model_version"].get<int>() : 0;
  }

  TemporaryFolder folder_;
  std::string models_;
  RunningServer server_;
};

TEST_F(RollingUpdateTest, VersionsComeBecomeTheCanaryAndGo) {
  const absl::Status training = TrainDemo(models_ + "/mnist08/1");
  ASSERT_TRUE(training.ok()) << training;
  WaitForVersions({1});

  fs::create_directories(models_ + "/mnist08/.2");
  fs::copy_file(models_ + "/mnist08/1/model.lip", models_ + "/mnist08/.2/model.lip");
  std::ofstream(models_ + "/mnist08/.config")
      << "labels { name: 'stable' version: 1 } labels { name: 'canary' version: 2 }\n"
         "default_label: 'stable'\n";
  fs::rename(models_ + "/mnist08/.2", models_ + "/mnist08/2");
  fs::rename(models_ + "/mnist08/.config", models_ + "/mnist08/config.textproto");
  WaitForVersions({1, 2});
  while (VersionThatAnswers({"--model-label", "canary"}) != 2) std::this_thread::yield();
  EXPECT_EQ(VersionThatAnswers({"--model-label", "stable"}), 1);
  EXPECT_EQ(VersionThatAnswers({}), 1);
  EXPECT_EQ(VersionThatAnswers({"--model-version", "2"}), 2);

  fs::remove(models_ + "/mnist08/config.textproto");
  while (VersionThatAnswers({}) != 2) std::this_thread::yield();  // the newest again
  fs::remove_all(models_ + "/mnist08/2");
  WaitForVersions({1});
  EXPECT_EQ(VersionThatAnswers({}), 1);

  server_.process->Signal(SIGTERM);
  EXPECT_EQ(server_.process->WaitForExit(), 0);
  // Nothing was ever seen half written.
  EXPECT_THAT(server_.process->StandardError(), Not(HasSubstr("cannot serve")));
}

}  // namespace
}  // namespace lipserve
