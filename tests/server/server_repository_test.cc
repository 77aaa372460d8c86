// SPDX-License-Identifier: Apache-2.0
// A whole server whose models change while it serves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/expected_answers.h"
#include "tests/server/http_get.h"
#include "tests/server/repository_fixture.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ServerRepositoryTest : public RepositoryFixture {
 protected:
  ServerOptions Options(RepositoryMode mode) {
    ServerOptions options = TestOptions(folder_);
    options.repository_mode = mode;
    options.repository_poll = std::chrono::hours(1);  // tests say when
    return options;
  }

  static std::string Readyz(TestServer& server) {
    return HttpGet(server.server().http_address().port, "/readyz");
  }
};

// Asks for one model in a loop, and holds each answer against the version that it names.
class Questioner {
 public:
  static constexpr std::uint64_t kModels = 4;

  // Version v must be SmallModel(v % kModels).
  Questioner(TestServer& server, std::uint64_t seed)
      : inputs_(RandomInputs(seed, 3)), thread_([this, &server] { Ask(server); }) {}
  void Stop() {
    stop_.store(true);
    thread_.join();
  }

  int answered() const { return answered_; }
  std::size_t versions_seen() const { return versions_.size(); }
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  void Ask(TestServer& server) {
    std::array<std::vector<Answer>, kModels> expected;
    for (std::uint64_t i = 0; i < kModels; ++i) expected[i] = AnswersOf(SmallModel(i), inputs_);
    const v1::ClassifyRequest request = Fp32Request("m", inputs_);
    while (!stop_.load()) {
      v1::ClassifyResponse response;
      const grpc::Status status = server.Classify(request, &response);
      if (!status.ok()) {
        failures_.push_back(status.error_message());
        continue;
      }
      ++answered_;
      versions_.insert(response.model().version());
      const auto& answers =
          expected[static_cast<std::uint64_t>(response.model().version()) % kModels];
      for (std::size_t i = 0; i < answers.size(); ++i) {
        ExpectSame(response.classifications(static_cast<int>(i)), answers[i], answers[i].radius_l2);
      }
    }
  }

  const std::vector<float> inputs_;
  std::atomic<bool> stop_{false};
  int answered_ = 0;
  std::set<std::int64_t> versions_;
  std::vector<std::string> failures_;
  std::thread thread_;
};

TEST_F(ServerRepositoryTest, SwapsUnderLoadFailNoCallAndEveryAnswerIsOneVersions) {
  constexpr std::int64_t kSwaps = 40;
  Configure("m", "version_policy { latest {} }");
  AddVersion("m", 1, 1);
  TestServer server(Options(RepositoryMode::kPoll));
  Questioner first(server, 1);
  Questioner second(server, 2);
  for (std::int64_t version = 2; version <= kSwaps; ++version) {
    AddVersion("m", version, static_cast<std::uint64_t>(version) % Questioner::kModels);
    ASSERT_TRUE(server.Poll().ok());
    RemoveVersion("m", version - 1);
  }
  for (Questioner* const questioner : {&first, &second}) {
    questioner->Stop();
    EXPECT_THAT(questioner->failures(), ::testing::IsEmpty());
    EXPECT_GT(questioner->answered(), 0);
  }
  EXPECT_GT(first.versions_seen() + second.versions_seen(), 2U);
}

TEST_F(ServerRepositoryTest, LoadingAndUnloadingAnotherModelFailsNoCall) {
  AddVersion("m", 1, 1);
  AddVersion("other", 1, 7);
  ServerOptions options = Options(RepositoryMode::kExplicit);
  options.load_models = {"m"};
  TestServer server(options);
  Questioner questioner(server, 1);
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(server.Load("other").ok());
    ASSERT_TRUE(server.Unload("other").ok());
  }
  questioner.Stop();
  EXPECT_THAT(questioner.failures(), ::testing::IsEmpty());
}

TEST_F(ServerRepositoryTest, ARequestIsAnsweredByTheVersionItWasGivenThoughThatIsUnloaded) {
  AddVersion("m", 1);
  ServerOptions options = Options(RepositoryMode::kExplicit);
  options.load_models = {"m"};
  options.workers = 0;  // it waits until the server stops
  options.inline_budget = std::chrono::microseconds(0);
  TestServer server(options);
  AsyncCalls calls(server.stub(), Fp32Request("m", RandomInputs(1, 1)));
  calls.Start();
  server.WaitForMetric("lipserve_queue_depth 1\n");
  ASSERT_TRUE(server.Unload("m").ok());
  EXPECT_THAT(Indexed(server.server().repository(), "m", 1), StartsWith("UNLOADING"));
  EXPECT_EQ(server.Classify(Fp32Request("m", RandomInputs(1, 1))).error_code(),
            grpc::StatusCode::NOT_FOUND);
  std::thread stopper([&server] { server.server().Stop(); });
  EXPECT_TRUE(calls.Wait().status.ok());
  stopper.join();
}

TEST_F(ServerRepositoryTest, RequestsMayNameALabel) {
  AddVersion("m", 1, 1);
  AddVersion("m", 2, 2);
  Configure("m", "labels { name: 'stable' version: 1 }");
  TestServer server(Options(RepositoryMode::kFixed));
  v1::ClassifyRequest request = Fp32Request("m", RandomInputs(1, 1));
  request.set_model_label("stable");
  v1::ClassifyResponse response;
  ASSERT_TRUE(server.Classify(request, &response).ok());
  EXPECT_EQ(response.model().version(), 1);
  request.set_model_label("canary");
  const grpc::Status unknown = server.Classify(request);
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(unknown.error_message(),
              AllOf(HasSubstr("labelled 'canary'"), HasSubstr("stable = 1")));
  request.set_model_version(2);
  EXPECT_EQ(server.Classify(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerRepositoryTest, HealthTellsOfEachModelToThoseWhoAskAndThoseWhoWatch) {
  AddVersion("a", 1);
  AddVersion("b", 1);
  ServerOptions options = Options(RepositoryMode::kExplicit);
  options.load_models = {"a"};
  TestServer server(options);
  EXPECT_EQ(server.HealthOf("a"), "SERVING");
  EXPECT_EQ(server.HealthOf("b"), "NOT_SERVING");
  EXPECT_EQ(server.HealthOf("c"), "NOT_FOUND");
  const std::unique_ptr<HealthWatch> watch = server.WatchHealth("b");
  EXPECT_EQ(watch->Next(), "NOT_SERVING");
  ASSERT_TRUE(server.Load("b").ok());
  EXPECT_EQ(watch->Next(), "SERVING");
  ASSERT_TRUE(server.Unload("b").ok());
  EXPECT_EQ(watch->Next(), "NOT_SERVING");
  EXPECT_EQ(server.HealthOf("a"), "SERVING");
  server.server().StartDraining();
  EXPECT_EQ(server.HealthOf("a"), "NOT_SERVING");
}

TEST_F(ServerRepositoryTest, APollingServerIsReadyOnceItServesAModel) {
  TestServer server(Options(RepositoryMode::kPoll));
  EXPECT_THAT(Readyz(server), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("no model is served")));
  EXPECT_EQ(server.HealthOf(""), "NOT_SERVING");
  AddVersion("m", 1);
  ASSERT_TRUE(server.Poll().ok());
  EXPECT_THAT(Readyz(server), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(server.HealthOf(""), "SERVING");
}

TEST_F(ServerRepositoryTest, AServerThatLoadsByRequestIsReadyWithoutModels) {
  TestServer server(Options(RepositoryMode::kExplicit));
  EXPECT_THAT(Readyz(server), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(server.Classify(Fp32Request("m", RandomInputs(1, 1))).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerRepositoryTest, AModelThatWouldTakeTooMuchIsRefusedAndTheFlagAcceptsIt) {
  AddVersion("m", 1);
  ServerOptions options = Options(RepositoryMode::kFixed);
  options.load_budget.operations = 1000.0;
  const std::string error(Server::Start(options, clock_).status().message());
  EXPECT_THAT(error,
              AllOf(HasSubstr("m/1/model.lip: loading takes"), HasSubstr("layer 0 (flatten)"),
                    HasSubstr("at most 1e+03"), HasSubstr("--max-load-operations")));
  options.load_budget = LoadingBudget::Unlimited();
  EXPECT_TRUE(Server::Start(options, clock_).ok());
}

}  // namespace
}  // namespace lipserve
