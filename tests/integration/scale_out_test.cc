// SPDX-License-Identifier: Apache-2.0
// Three servers behind one client, as users run them: the library's defaults, no proxy.
#include <atomic>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/classifier_client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/concurrency/mutex.h"
#include "tests/integration/demo_service.h"
#include "tests/server/http_get.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Threads that classify one image after the other and keep every error.
class Load {
 public:
  Load(const std::string& address, int threads)
      : client_({.address = address, .timeout = absl::Seconds(60)}) {
    image_.set_element_type(v1::ELEMENT_TYPE_UINT8);
    for (const std::int64_t axis : {1, 1, 28, 28}) image_.add_shape(axis);
    image_.set_data(std::string(784, '\0'));
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
  }
  ~Load() { Stop(); }

  // Waits until so many more calls have been answered, or one has failed.
  void WaitForAnswers(int more) {
    const int enough = answered_ + more;
    while (answered_ < enough && errors().empty()) std::this_thread::yield();
  }

  // Ends the threads.
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::vector<std::string> errors() {
    MutexLock lock(mutex_);
    return errors_;
  }

 private:
  void Run() {
    while (!stop_) {
      const auto answer = client_.Classify(image_, {});
      if (answer.ok()) {
        ++answered_;
      } else {
        MutexLock lock(mutex_);
        errors_.push_back(std::string(answer.status().message()));
      }
    }
  }

  const ClassifierClient client_;
  v1::ImageBatch image_;
  std::atomic<bool> stop_{false};
  std::atomic<int> answered_{0};
  Mutex mutex_;
  std::vector<std::string> errors_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;  // last, so that they see the rest alive
};

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
  Load load(absl::StrJoin(addresses, ","), kThreads);
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
  Load load(absl::StrCat((*service)->grpc_address(), ",", draining->grpc_address), 4);
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

}  // namespace
}  // namespace lipserve
