// SPDX-License-Identifier: Apache-2.0
#include "server/server_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ServerCommand Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "lipserve-server");
  return ParseServerFlags(static_cast<int>(arguments.size()), arguments.data());
}

// What a command line that ends at once says on the stream that it should say it on.
struct Said {
  int exit_code;
  std::string out;
  std::string err;
};

Said ParseToTheEnd(const std::vector<const char*>& arguments) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const ServerCommand command = Parse(arguments);
  Said said{.exit_code = command.exit_code.value_or(-1), .out = "", .err = ""};
  said.out = ::testing::internal::GetCapturedStdout();
  said.err = ::testing::internal::GetCapturedStderr();
  return said;
}

TEST(ServerFlagsTest, ReadsEveryFlag) {
  const ServerCommand command = Parse({"--models",
                                       "dir",
                                       "--grpc",
                                       "[::]:1",
                                       "--http=0.0.0.0:2",
                                       "--workers",
                                       "3",
                                       "--max-batch",
                                       "4",
                                       "--max-images-per-call",
                                       "5",
                                       "--queue-capacity",
                                       "6",
                                       "--inline-budget-us",
                                       "7",
                                       "--busy-poll-us",
                                       "11",
                                       "--drain-grace-ms",
                                       "8",
                                       "--skip-bad-models",
                                       "--max-connection-age-s",
                                       "9",
                                       "--repository-mode",
                                       "explicit",
                                       "--repository-poll-ms",
                                       "9",
                                       "--load-model",
                                       "a",
                                       "--load-model",
                                       "b",
                                       "--max-request-bytes",
                                       "10000000",
                                       "--check-config"});
  ASSERT_FALSE(command.exit_code.has_value());
  const ServerOptions& options = command.options;
  EXPECT_EQ(options.models_folder, "dir");
  EXPECT_EQ(ToString(options.grpc), "[::]:1");
  EXPECT_EQ(ToString(options.http), "0.0.0.0:2");
  EXPECT_EQ(options.workers, 3U);
  EXPECT_EQ(options.max_batch, 4U);
  EXPECT_EQ(options.max_images_per_call, 5U);
  EXPECT_EQ(options.queue_capacity, 6U);
  EXPECT_EQ(options.inline_budget, std::chrono::microseconds(7));
  EXPECT_EQ(options.busy_poll, std::chrono::microseconds(11));
  EXPECT_EQ(options.drain_grace, std::chrono::milliseconds(8));
  EXPECT_EQ(options.max_connection_age, std::chrono::seconds(9));
  EXPECT_TRUE(options.skip_bad_models);
  EXPECT_EQ(options.repository_mode, RepositoryMode::kExplicit);
  EXPECT_EQ(options.repository_poll, std::chrono::milliseconds(9));
  EXPECT_THAT(options.load_models, ElementsAre("a", "b"));
  EXPECT_EQ(options.max_request_bytes, 10000000U);
  EXPECT_TRUE(command.check_only);
}

TEST(ServerFlagsTest, ReadsWhatLoadingMayTake) {
  const ServerCommand usual = Parse({"--models", "dir"});
  EXPECT_EQ(usual.options.load_budget.operations, LoadingBudget().operations);
  const ServerCommand raised =
      Parse({"--models", "dir", "--max-load-operations", "4e12", "--max-load-bytes", "1e10"});
  EXPECT_EQ(raised.options.load_budget.operations, 4e12);
  EXPECT_EQ(raised.options.load_budget.bytes, 1e10);
  EXPECT_EQ(Parse({"--models", "dir", "--max-load-operations", "0"}).exit_code, 2);
}

TEST(ServerFlagsTest, ReadsTheFlagsOfSecurityAndLog) {
  const ServerCommand command =
      Parse({"--models", "dir", "--tls-cert", "a", "--tls-key", "b", "--tls-client-ca", "c",
             "--access-policy", "d", "--tls-refresh-s", "5", "--log-format", "json",
             "--log-requests", "7"});
  ASSERT_FALSE(command.exit_code.has_value());
  const SecurityFiles& files = command.options.security;
  EXPECT_EQ(files.certificate, "a");
  EXPECT_EQ(files.private_key, "b");
  EXPECT_EQ(files.client_authorities, "c");
  EXPECT_EQ(files.access_policy, "d");
  EXPECT_EQ(files.refresh, std::chrono::seconds(5));
  EXPECT_EQ(command.log_format, LogFormat::kJson);
  EXPECT_EQ(command.options.log_requests, 7U);
}

TEST(ServerFlagsTest, RefusesHalfOfTls) {
  const Said said = ParseToTheEnd({"--models", "dir", "--tls-cert", "a"});
  EXPECT_EQ(said.exit_code, 2);
  EXPECT_THAT(said.err, HasSubstr("--tls-cert and --tls-key: expected both or neither"));
}

TEST(ServerFlagsTest, NeedsOnlyTheModelsAndListensOnLoopback) {
  const ServerCommand command = Parse({"--models", "dir"});
  ASSERT_FALSE(command.exit_code.has_value());
  EXPECT_EQ(ToString(command.options.grpc), "127.0.0.1:8001");
  EXPECT_EQ(ToString(command.options.http), "127.0.0.1:8002");
  EXPECT_GE(command.options.workers, 1U);
  EXPECT_GE(command.options.pollers, 1U);
  EXPECT_FALSE(command.options.skip_bad_models);
  EXPECT_EQ(command.options.repository_mode, RepositoryMode::kFixed);
  EXPECT_FALSE(command.check_only);
}

TEST(ServerFlagsTest, HelpAndVersionSucceedOnStdout) {
  const Said help = ParseToTheEnd({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("Examples:"), HasSubstr("--drain-grace-ms")));
  EXPECT_EQ(help.err, "");
  for (const auto line : absl::StrSplit(help.out, '\n')) EXPECT_LE(line.size(), 80U) << line;
  const Said version = ParseToTheEnd({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, HasSubstr("lipserve-server 0."));
}

TEST(ServerFlagsTest, WrongCommandLinesExitWithTwoAndNameTheFlagOnStderr) {
  const std::vector<std::pair<std::vector<const char*>, std::string>> wrong = {
      {{}, "--models"},
      {{"--models", "d", "--colour"}, "--colour"},
      {{"--models", "d", "--workers", "many"}, "--workers"},
      {{"--models", "d", "--grpc", "nowhere"}, "--grpc: expected host:port"},
      {{"--models", "d", "--http", "a:70000"}, "--http: expected host:port"},
      {{"--models", "d", "--max-batch", "0"}, "--max-batch: expected 1 to 1024, got 0"},
      {{"--models", "d", "--drain-grace-ms", "-5"}, "--drain-grace-ms"},
      {{"--models", "d", "--max-connection-age-s", "86401"}, "--max-connection-age-s"},
      {{"--models", "d", "--repository-mode", "sometimes"}, "--repository-mode"},
      {{"--models", "d", "--repository-mode", "1"}, "--repository-mode"},
      {{"--models", "d", "--load-model", "m"}, "--load-model: expected --repository-mode explicit"},
      {{"--models", "d", "--load-model", "m", "n"}, "n"},
      {{"--models", "d", "--repository-mode", "explicit", "--load-model", "../m"}, "got '../m'"},
      {{"--models", "d", "--repository-mode", "poll", "--repository-poll-ms", "0"},
       "--repository-poll-ms: expected at least 1"},
      {{"--models", "d", "--max-request-bytes", "5"}, "--max-request-bytes: expected 1048576"},
  };
  for (const auto& [arguments, expected] : wrong) {
    const Said said = ParseToTheEnd(arguments);
    EXPECT_EQ(said.exit_code, 2) << expected;
    EXPECT_THAT(said.err, HasSubstr(expected));
    EXPECT_EQ(said.out, "");
  }
}

}  // namespace
}  // namespace lipserve
