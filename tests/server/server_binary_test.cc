// SPDX-License-Identifier: Apache-2.0
// The program itself: started, asked, and stopped as an operator would.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/server/http_get.h"
#include "tests/server/raw_connection.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A running lipserve-server with its stdout and stderr in pipes.
class ServerProcess {
 public:
  explicit ServerProcess(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), LIPSERVE_SERVER_BINARY);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int out[2];
    int err[2];
    if (::pipe(out) != 0 || ::pipe(err) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(out[1], STDOUT_FILENO);
      ::dup2(err[1], STDERR_FILENO);
      for (const int fd : {out[0], out[1], err[0], err[1]}) ::close(fd);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(out[1]);
    ::close(err[1]);
    stdout_ = ::fdopen(out[0], "r");
    stderr_ = ::fdopen(err[0], "r");
  }
  ~ServerProcess() {
    if (!reaped_) {
      ::kill(pid_, SIGKILL);
      Wait();
    }
    std::fclose(stdout_);
    std::fclose(stderr_);
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  std::string ReadLine() { return ReadLineOf(stdout_); }
  std::string ReadOutput() {
    std::string text;
    for (std::string line = ReadLine(); !line.empty(); line = ReadLine()) text += line;
    return text;
  }
  // Reads stderr up to a line that contains `part`; returns false if it ends without.
  bool WaitForError(const std::string& part) {
    for (std::string line = ReadLineOf(stderr_); !line.empty(); line = ReadLineOf(stderr_)) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }
  std::string ReadErrors() {
    std::string text;
    for (std::string line = ReadLineOf(stderr_); !line.empty(); line = ReadLineOf(stderr_)) {
      text += line;
    }
    return text;
  }
  pid_t pid() const { return pid_; }
  void Signal(int signal) const { ::kill(pid_, signal); }

  // The exit code, or minus the signal that ended the process.
  int Wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    reaped_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  static std::string ReadLineOf(std::FILE* file) {
    std::string line;
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
      line.push_back(static_cast<char>(c));
      if (c == '\n') break;
    }
    return line;
  }

  pid_t pid_ = -1;
  bool reaped_ = false;
  std::FILE* stdout_ = nullptr;
  std::FILE* stderr_ = nullptr;
};

class ServerBinaryTest : public ::testing::Test {
 protected:
  std::vector<std::string> Arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"--models",    folder_.path(), "--grpc",
                                          "127.0.0.1:0", "--http",       "127.0.0.1:0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  // Reads the line that says where the program serves.
  void ReadPorts(ServerProcess& process) {
    const std::string line = process.ReadLine();
    std::smatch ports;
    ASSERT_TRUE(std::regex_match(
        line, ports,
        std::regex("serving: grpc=127\\.0\\.0\\.1:(\\d+) http=127\\.0\\.0\\.1:(\\d+)\n")))
        << line << process.ReadErrors();
    grpc_port_ = std::stoi(ports[1]);
    http_port_ = std::stoi(ports[2]);
  }

  TemporaryModels folder_;
  int grpc_port_ = 0;
  int http_port_ = 0;
};

TEST_F(ServerBinaryTest, ServesAnswersIsScrapedAndStopsOnSigterm) {
  folder_.Add("small", "1", SmallModel());
  ServerProcess process(Arguments());
  ReadPorts(process);

  const auto stub = v1::ClassifierService::NewStub(ConnectTo(grpc_port_));
  v1::ClassifyResponse response;
  grpc::ClientContext context;
  const grpc::Status status =
      stub->Classify(&context, Fp32Request("", RandomInputs(1, 2)), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.classifications_size(), 2);

  EXPECT_THAT(HttpGet(http_port_, "/readyz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(HttpGet(http_port_, "/metrics"),
              AllOf(HasSubstr("lipserve_requests_total{code=\"OK\",method=\"Classify\","
                              "model=\"small\",version=\"1\"} 1\n"),
                    HasSubstr("lipserve_build_info{")));
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_THAT(process.ReadErrors(),
              AllOf(HasSubstr("threads: "), HasSubstr("loaded small/1"), HasSubstr("stopped")));
}

TEST_F(ServerBinaryTest, StopsOnSigintToo) {
  folder_.Add("small", "1", SmallModel());
  ServerProcess process(Arguments());
  ReadPorts(process);
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(), 0);
}

TEST_F(ServerBinaryTest, ASecondSignalEndsItAtOnce) {
  folder_.Add("small", "1", SmallModel());
  ServerProcess process(Arguments({"--drain-grace-ms", "3600000"}));
  ReadPorts(process);
  process.Signal(SIGTERM);
  while (HttpGet(http_port_, "/readyz").find(" 503 ") == std::string::npos) {
  }
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 128 + SIGTERM);
}

TEST_F(ServerBinaryTest, StopsInTheMiddleOfLoading) {
  constexpr int kVersions = 300;
  const std::string path = folder_.Add("many", "1", SmallModel());
  for (int version = 2; version <= kVersions; ++version) {
    const std::string folder = folder_.path() + "/many/" + std::to_string(version);
    std::filesystem::create_directories(folder);
    std::filesystem::create_hard_link(path, folder + "/model.lip");
  }
  ServerProcess process(Arguments());
  ASSERT_TRUE(process.WaitForError("loading many/300"));
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_THAT(process.ReadErrors(), AllOf(HasSubstr("stopped"), Not(HasSubstr("many/1:"))));
}

TEST_F(ServerBinaryTest, ServesNewVersionsAsTheyComeAndOldOnesWhenTheyGo) {
  folder_.Add("small", "1", SmallModel(1));
  ServerProcess process(Arguments({"--repository-mode", "poll", "--repository-poll-ms", "1"}));
  ReadPorts(process);
  folder_.Add("small", "2", SmallModel(2));
  EXPECT_TRUE(process.WaitForError("loaded small/2"));
  std::filesystem::remove_all(folder_.path() + "/small/2");
  EXPECT_TRUE(process.WaitForError("unloading small/2"));
  EXPECT_TRUE(process.WaitForError("freed 1 version"));
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0);
}

TEST_F(ServerBinaryTest, ChecksAGoodRepositoryWithoutServingIt) {
  folder_.Add("small", "1", SmallModel(1));
  folder_.Add("small", "2", SmallModel(2));
  std::ofstream(folder_.path() + "/small/config.textproto")
      << "version_policy { latest {} } labels { name: 'old' version: 1 }";
  ServerProcess process(Arguments({"--check-config"}));
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_EQ(process.ReadErrors(), "");
  EXPECT_THAT(process.ReadOutput(), AllOf(ContainsRegex("small +1 +ok +yes .* old\n"),
                                          ContainsRegex("small +2 +ok +yes .* -\n")));
}

TEST_F(ServerBinaryTest, ACheckThatFindsSomethingWrongExitsWithOneAndNamesAllOfIt) {
  folder_.Add("small", "1", SmallModel(1));
  folder_.Add("small", "zwei", SmallModel(2));
  std::ofstream(folder_.Add("broken", "3", SmallModel()), std::ios::trunc) << "garbage";
  std::ofstream(folder_.path() + "/small/config.textproto") << "\nversion_polcy { latest {} }";
  ServerProcess process(Arguments({"--check-config", "--skip-bad-models"}));
  EXPECT_EQ(process.Wait(), 1);
  EXPECT_THAT(process.ReadErrors(),
              AllOf(HasSubstr("small/config.textproto:2:"), HasSubstr("\"version_policy\"?"),
                    HasSubstr("got 'zwei'"), HasSubstr("broken/3/model.lip")));
  EXPECT_THAT(process.ReadOutput(),
              AllOf(ContainsRegex("small +1 +ok +yes"), ContainsRegex("broken +3 +FAILED +no")));
}

TEST_F(ServerBinaryTest, AMissingFolderExitsWithOneAndSaysSo) {
  ServerProcess process(
      {"--models", folder_.path() + "/nowhere", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"});
  EXPECT_EQ(process.Wait(), 1);
  EXPECT_THAT(process.ReadErrors(), HasSubstr("/nowhere"));
  EXPECT_EQ(process.ReadLine(), "");
}

TEST_F(ServerBinaryTest, AnEmptyFolderExitsWithOneAndSaysWhatWasExpected) {
  ServerProcess process(Arguments());
  EXPECT_EQ(process.Wait(), 1);
  EXPECT_THAT(process.ReadErrors(), HasSubstr("<name>/<version>/model.lip"));
}

TEST_F(ServerBinaryTest, ARefusedModelExitsWithOneUnlessItIsSkipped) {
  folder_.Add("good", "1", SmallModel());
  FrozenModel boastful = SmallModel();
  std::get<DenseLayer>(boastful.network.layers[1]).claimed_operator_norm_bound *= 0.5;
  folder_.Add("boastful", "1", boastful);
  ServerProcess strict(Arguments());
  EXPECT_EQ(strict.Wait(), 1);
  EXPECT_THAT(strict.ReadErrors(), AllOf(HasSubstr("boastful/1"), HasSubstr("--skip-bad-models")));

  ServerProcess lenient(Arguments({"--skip-bad-models"}));
  ReadPorts(lenient);
  lenient.Signal(SIGTERM);
  EXPECT_EQ(lenient.Wait(), 0);
}

TEST_F(ServerBinaryTest, APortInUseExitsWithOneAndNamesIt) {
  folder_.Add("small", "1", SmallModel());
  ServerProcess first(Arguments());
  ReadPorts(first);
  ServerProcess second({"--models", folder_.path(), "--grpc",
                        "127.0.0.1:" + std::to_string(grpc_port_), "--http", "127.0.0.1:0"});
  EXPECT_EQ(second.Wait(), 1);
  EXPECT_THAT(second.ReadErrors(), HasSubstr("127.0.0.1:" + std::to_string(grpc_port_)));
  ServerProcess third({"--models", folder_.path(), "--grpc", "127.0.0.1:0", "--http",
                       "127.0.0.1:" + std::to_string(http_port_)});
  EXPECT_EQ(third.Wait(), 1);
  EXPECT_THAT(third.ReadErrors(), HasSubstr("127.0.0.1:" + std::to_string(http_port_)));
}

// Sets the soft limit of file descriptors of `process`; 0 is this process. Returns the former one.
rlim_t LimitDescriptors(pid_t process, rlim_t soft) {
  rlimit limit{};
  ::prlimit(process, RLIMIT_NOFILE, nullptr, &limit);
  const rlim_t former = std::exchange(limit.rlim_cur, soft);
  EXPECT_EQ(::prlimit(process, RLIMIT_NOFILE, &limit, nullptr), 0);
  return former;
}

std::size_t OpenDescriptors(pid_t process) {
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(process) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST_F(ServerBinaryTest, RaisesItsLimitOfDescriptorsAndHearsAgainAfterItRanOutOfThem) {
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer) || __has_feature(address_sanitizer)
  GTEST_SKIP() << "this sanitizer opens a pipe to look at an object, and dies without descriptors";
#endif
#endif
  folder_.Add("small", "1", SmallModel());
  const rlim_t former = LimitDescriptors(0, 256);
  ServerProcess process(Arguments());
  LimitDescriptors(0, former);
  ReadPorts(process);
  EXPECT_GE(LimitDescriptors(process.pid(), 256), former);

  const std::size_t limit = OpenDescriptors(process.pid()) + 10;
  LimitDescriptors(process.pid(), limit);
  {
    std::vector<RawConnection> connections;
    for (int i = 0; i < 40; ++i) connections.emplace_back(grpc_port_);
    while (OpenDescriptors(process.pid()) < limit) std::this_thread::yield();
  }
  const auto stub = v1::ClassifierService::NewStub(ConnectTo(grpc_port_));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  v1::ClassifyResponse response;
  const grpc::Status status =
      stub->Classify(&context, Fp32Request("", RandomInputs(1, 1)), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0);
}

}  // namespace
}  // namespace lipserve
