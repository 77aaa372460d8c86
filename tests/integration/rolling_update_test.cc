// SPDX-License-Identifier: Apache-2.0
// An operator's day: a server that polls its repository, a trainer that writes into it, a version
// that comes, becomes the canary, and goes.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

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
    std::string folder = fs::temp_directory_path() / "lipserve-rolling-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    models_ = folder + "/models";
    fs::create_directories(models_);
    auto server = ChildProcess::Start({LIPSERVE_SERVER, "--models", models_, "--repository-mode",
                                       "poll", "--repository-poll-ms", "1", "--grpc", "127.0.0.1:0",
                                       "--http", "127.0.0.1:0"});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    const auto line = server_->WaitForLine("serving: grpc=");
    ASSERT_TRUE(line.ok()) << line.status();
    const std::size_t begin = line->find('=') + 1;
    address_ = line->substr(begin, line->find(' ', begin) - begin);
  }
  void TearDown() override {
    server_.reset();
    std::error_code ignored;
    fs::remove_all(fs::path(models_).parent_path(), ignored);
  }

  std::vector<nlohmann::json> Client(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--json", "--server", address_, "--timeout", "60s"});
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

  std::string models_;
  std::string address_;
  std::unique_ptr<ChildProcess> server_;
};

TEST_F(RollingUpdateTest, VersionsComeBecomeTheCanaryAndGo) {
  const FinishedProgram training = RunProgram(
      {LIPSERVE_TRAIN, "train", "--recipe", SourcePath("trainer/recipes/mnist08.textproto"),
       "--data", SourcePath("data/mnist"), "--out", models_ + "/mnist08/1", "--epochs", "1"});
  ASSERT_EQ(training.exit_code, 0) << training.error;
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

  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->WaitForExit(), 0);
  // Nothing was ever seen half written.
  EXPECT_THAT(server_->StandardError(), Not(HasSubstr("cannot serve")));
}

}  // namespace
}  // namespace lipserve
