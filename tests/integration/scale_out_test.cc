// SPDX-License-Identifier: Apache-2.0
// Three servers behind one client, as users run them: the library's defaults, no proxy.
#include <chrono>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/classify_load.h"
#include "tests/integration/demo_service.h"
#include "tests/server/http_get.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ScaleOutTest, AKilledAndADrainedServerFailNoCall) {
  auto service = DemoService::Start();
  ASSERT_TRUE(service.ok()) << service.status();
  std::vector<RunningServer> servers;
  std::vector<std::string> addresses;
  for (int i = 0; i < 3; ++i) {
    auto server = StartServer((*service)->models_folder());
    ASSERT_TRUE(server.ok()) << server.status();
    addresses.push_back(server->grpc_address);
    servers.push_back(*std::move(server));
  }
  constexpr int kThreads = 8;
  constexpr int kCalls = 300;
  ClassifyLoad load(absl::StrJoin(addresses, ","), kThreads);
  load.WaitForAnswers(kCalls);
  for (const RunningServer& server : servers) {
    EXPECT_THAT(HttpGet(server.http_port, "/metrics"),
                HasSubstr("lipserve_requests_total{code=\"OK\",method=\"Classify\""))
        << "every server gets calls";
  }
  servers[0].process->Signal(SIGKILL);
  servers[0].process->WaitForExit();
  load.WaitForAnswers(kCalls);
  servers[1].process->Signal(SIGTERM);
  EXPECT_EQ(servers[1].process->WaitForExit(), 0);
  load.WaitForAnswers(kCalls);
  load.Stop();
  EXPECT_THAT(load.errors(), IsEmpty());
}

TEST(ScaleOutTest, AServerThatDrainsWithAGraceIsLeftBeforeItRefusesAnything) {
  auto service = DemoService::Start();
  ASSERT_TRUE(service.ok()) << service.status();
  auto draining = StartServer((*service)->models_folder(), {"--drain-grace-ms", "1000"});
  ASSERT_TRUE(draining.ok()) << draining.status();
  ClassifyLoad load(absl::StrCat((*service)->grpc_address(), ",", draining->grpc_address), 4);
  load.WaitForAnswers(100);
  draining->process->Signal(SIGTERM);
  // The last page that the server can be asked for while it still answers.
  std::string page;
  for (std::string next; next = HttpGet(draining->http_port, "/metrics"), !next.empty();) {
    page = std::move(next);
  }
  EXPECT_EQ(draining->process->WaitForExit(), 0);
  load.Stop();
  EXPECT_THAT(load.errors(), IsEmpty());
  EXPECT_THAT(page, HasSubstr("lipserve_requests_total{"));
  EXPECT_THAT(page, ::testing::Not(HasSubstr("code=\"UNAVAILABLE\"")));
}

// Connections of one second, for three: each is closed at least once under load.
TEST(ScaleOutTest, AConnectionThatHasComeOfAgeFailsNoCall) {
  auto service = DemoService::Start();
  ASSERT_TRUE(service.ok()) << service.status();
  auto server = StartServer((*service)->models_folder(), {"--max-connection-age-s", "1"});
  ASSERT_TRUE(server.ok()) << server.status();
  ClassifyLoad load(server->grpc_address, 4);
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begin < std::chrono::seconds(3)) {
    load.WaitForAnswers(10);
  }
  load.Stop();
  EXPECT_THAT(load.errors(), IsEmpty());
}

}  // namespace
}  // namespace lipserve
