// SPDX-License-Identifier: Apache-2.0
// docker/retrain.sh, the job that trains the next version of a model.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/child_process.h"
#include "tests/integration/classify_load.h"
#include "tests/integration/demo_service.h"

namespace lipserve {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kWrongUsage = 2;
constexpr int kShortOfRequirement = 3;

class RetrainTest : public ::testing::Test {
 protected:
  RetrainTest() : models_(folder_.path()) {}

  std::vector<std::string> Command(const std::vector<std::string>& flags) const {
    std::vector<std::string> command = {"/usr/bin/env",
                                        absl::StrCat("PATH=", ProgramsFolder(), ":/usr/bin:/bin"),
                                        "bash", SourcePath("docker/retrain.sh")};
    command.insert(command.end(), flags.begin(), flags.end());
    return command;
  }

  // The command for a short training of the demo.
  std::vector<std::string> Demo(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> flags = {"--recipe", SourcePath("trainer/recipes/mnist08.textproto"),
                                      "--data",   SourcePath("data/mnist"),
                                      "--models", models_,
                                      "--model",  "mnist08",
                                      "--epochs", "1"};
    flags.insert(flags.end(), more.begin(), more.end());
    return Command(flags);
  }

  // Everything in the model's folder, hidden or not, sorted.
  std::vector<std::string> Entries() const {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(models_ + "/mnist08")) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TemporaryFolder folder_;
  const std::string models_;
};

TEST_F(RetrainTest, EachRunPublishesTheNextVersionAndNamesIt) {
  for (const char* version : {"1", "2"}) {
    const FinishedProgram run = RunProgram(Demo());
    ASSERT_EQ(run.exit_code, 0) << run.error;
    EXPECT_THAT(run.output, HasSubstr(absl::StrCat("\n", models_, "/mnist08/", version, "\n")));
    EXPECT_TRUE(fs::exists(models_ + "/mnist08/" + version + "/model.lip"));
  }
  EXPECT_THAT(Entries(), ElementsAre("1", "2"));
}

TEST_F(RetrainTest, TheNextVersionFollowsTheHighestNumberWhateverElseIsThere) {
  for (const char* name : {"9", "10", "011", "12.bak", "notes"}) {
    fs::create_directories(models_ + "/mnist08/" + name);
  }
  const FinishedProgram run = RunProgram(Demo());
  ASSERT_EQ(run.exit_code, 0) << run.error;
  EXPECT_TRUE(fs::exists(models_ + "/mnist08/11/model.lip"));
}

TEST_F(RetrainTest, AModelShortOfARequirementIsNotPublished) {
  const FinishedProgram good = RunProgram(Demo({"--require", ".5@0.5", "--require=0.1@1.58"}));
  EXPECT_EQ(good.exit_code, 0) << good.error;
  const FinishedProgram bad = RunProgram(Demo({"--require", ".5@0.5", "--require", "1@1.58"}));
  EXPECT_EQ(bad.exit_code, kShortOfRequirement);
  EXPECT_THAT(bad.error, HasSubstr("required 1"));
  EXPECT_THAT(Entries(), ElementsAre("1"));
}

TEST_F(RetrainTest, RunsAtTheSameTimePublishDifferentVersions) {
  auto one = ChildProcess::Start(Demo({"--seed", "1"}));
  auto other = ChildProcess::Start(Demo({"--seed", "2"}));
  ASSERT_TRUE(one.ok() && other.ok());
  (*one)->ReadToEnd();
  (*other)->ReadToEnd();
  EXPECT_EQ((*one)->WaitForExit(), 0) << (*one)->StandardError();
  EXPECT_EQ((*other)->WaitForExit(), 0) << (*other)->StandardError();
  EXPECT_THAT(Entries(), ElementsAre("1", "2"));
}

TEST_F(RetrainTest, KeepRemovesAllButTheNewest) {
  fs::create_directories(models_ + "/mnist08/9");
  fs::create_directories(models_ + "/mnist08/10");
  const FinishedProgram run = RunProgram(Demo({"--keep", "2"}));
  ASSERT_EQ(run.exit_code, 0) << run.error;
  EXPECT_THAT(Entries(), ElementsAre("10", "11"));
}

TEST_F(RetrainTest, AFailedTrainingPublishesNothing) {
  const FinishedProgram run = RunProgram(Demo({"--no-such-flag"}));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(Entries(), IsEmpty());
}

TEST_F(RetrainTest, CallsMoveToTheNextVersionAndBackWithoutAFailure) {
  ASSERT_EQ(RunProgram(Demo()).exit_code, 0);
  auto server = StartServer(models_, {"--repository-mode", "poll", "--repository-poll-ms", "50"});
  ASSERT_TRUE(server.ok()) << server.status();
  ClassifyLoad load(server->grpc_address, 4);
  EXPECT_TRUE(load.WaitForVersion(1));
  const FinishedProgram next = RunProgram(Demo({"--seed", "2"}));
  ASSERT_EQ(next.exit_code, 0) << next.error;
  EXPECT_TRUE(load.WaitForVersion(2));
  // Back: the server passes over hidden folders.
  fs::rename(models_ + "/mnist08/2", models_ + "/mnist08/.2");
  EXPECT_TRUE(load.WaitForVersion(1));
  load.Stop();
  EXPECT_THAT(load.errors(), IsEmpty());
  server->process->Signal(SIGTERM);
  EXPECT_EQ(server->process->WaitForExit(), 0) << server->process->StandardError();
}

TEST_F(RetrainTest, WrongUsageExitsWithTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      Demo({"--model"}),
      Demo({"--model", "../elsewhere"}),
      Demo({"--keep", "-1"}),
      Demo({"--require", "0.9"}),
      Demo({"--out", "/somewhere"}),
  };
  for (const auto& command : wrong) {
    const FinishedProgram run = RunProgram(command.empty() ? Command({}) : command);
    EXPECT_EQ(run.exit_code, kWrongUsage) << run.error;
    EXPECT_THAT(run.error, HasSubstr("lipserve-retrain: "));
  }
}

}  // namespace
}  // namespace lipserve
