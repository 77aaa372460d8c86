// SPDX-License-Identifier: Apache-2.0
#include "client/load/load_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "nlohmann/json.hpp"
#include "tests/client/fake_classifier_server.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

LoadFlags ShortLoad() {
  LoadFlags flags;
  flags.load.outstanding = 4;
  flags.load.warm_up = absl::ZeroDuration();
  flags.load.duration = absl::Milliseconds(200);
  return flags;
}

// Runs the command and returns what it printed; `status` gets how it ended.
std::string Load(const FakeClassifierServer& server, const LoadFlags& flags, absl::Status& status) {
  const ClassifierClient client({.address = server.address()});
  std::istringstream in;
  std::ostringstream out;
  status = RunLoad(client, flags, {}, in, out);
  return out.str();
}

nlohmann::json LoadJson(const FakeClassifierServer& server, LoadFlags flags) {
  flags.json = true;
  absl::Status status;
  const std::string text = Load(server, flags, status);
  EXPECT_TRUE(status.ok()) << status;
  return nlohmann::json::parse(text);
}

TEST(LoadCommandTest, CountsWhatTheServerAnswered) {
  const FakeClassifierServer server;
  const nlohmann::json result = LoadJson(server, ShortLoad());
  const std::uint64_t answered = result["calls"]["OK"];
  EXPECT_GE(answered, 1U);
  EXPECT_EQ(result["calls"].size(), 1U);
  EXPECT_EQ(result["answered"]["count"], answered);
  EXPECT_EQ(answered, server.requests().size());
  EXPECT_EQ(result["images_per_second"], result["calls_per_second"]);
  EXPECT_GT(result["answered"]["p50_ms"], 0.0);
  EXPECT_LE(result["answered"]["p50_ms"], result["answered"]["max_ms"]);
}

TEST(LoadCommandTest, AClosedLoopNeverHasMoreCallsInFlightThanAskedFor) {
  std::atomic<int> in_flight{0};
  std::atomic<int> most{0};
  const FakeClassifierServer server([&](grpc::ServerContext&, int, v1::ClassifyResponse&) {
    const int now = ++in_flight;
    int seen = most.load();
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    --in_flight;
    return grpc::Status::OK;
  });
  LoadFlags flags = ShortLoad();
  flags.load.outstanding = 3;
  flags.load.connections = 2;
  LoadJson(server, flags);
  EXPECT_LE(most.load(), 3);
}

TEST(LoadCommandTest, AnOpenLoopSendsEveryCallThatIsDueAndNoOther) {
  const FakeClassifierServer server;
  LoadFlags flags = ShortLoad();
  flags.load.rate = 500.0;
  flags.load.connections = 3;
  flags.load.outstanding = 30;
  const nlohmann::json result = LoadJson(server, flags);
  EXPECT_EQ(result["calls"]["OK"].get<int>() + result["unsent"].get<int>(), 100);
}

// The calls that one slow answer kept from being sent are timed from when they were due.
TEST(LoadCommandTest, AnOpenLoopChargesAServerForTheCallsThatItMadeWait) {
  const FakeClassifierServer server(
      [](grpc::ServerContext& context, int call, v1::ClassifyResponse&) {
        // Until the client's deadline.
        while (call == 0 && !context.IsCancelled()) std::this_thread::yield();
        return grpc::Status::OK;
      });
  LoadFlags flags = ShortLoad();
  flags.load.rate = 100.0;
  flags.load.outstanding = 1;
  flags.load.timeout = absl::Milliseconds(100);
  const nlohmann::json result = LoadJson(server, flags);
  EXPECT_EQ(result["calls"]["DEADLINE_EXCEEDED"], 1);
  // The second call was due 10 ms after the first and sent 90 ms later.
  EXPECT_GE(result["answered"]["max_ms"], 89.0);
  EXPECT_GE(result["sent_late"]["max_ms"], 89.0);
}

TEST(LoadCommandTest, FailedCallsAreCountedByCodeAndNotRepeated) {
  const FakeClassifierServer server([](grpc::ServerContext&, int call, v1::ClassifyResponse&) {
    return call % 2 == 0
               ? grpc::Status::OK
               : grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "the queue is\x1b[2J full");
  });
  const nlohmann::json result = LoadJson(server, ShortLoad());
  const std::uint64_t refused = result["calls"]["RESOURCE_EXHAUSTED"];
  EXPECT_EQ(result["refused"]["count"], refused);
  EXPECT_EQ(result["refused_since_sent"]["count"], refused);
  EXPECT_EQ(refused + result["calls"]["OK"].get<std::uint64_t>(), server.requests().size());
  EXPECT_EQ(result["first_error"], "the queue is?[2J full");
}

TEST(LoadCommandTest, SendsTheImagesAskedForInTurn) {
  const FakeClassifierServer server;
  LoadFlags flags = ShortLoad();
  flags.images_per_call = 2;
  flags.query.radius_precision = v1::RADIUS_PRECISION_FAST;
  flags.query.epsilon = 1.5;
  const nlohmann::json result = LoadJson(server, flags);
  std::set<std::string> seen;
  for (const v1::ClassifyRequest& request : server.requests()) {
    ASSERT_EQ(request.images().shape(0), 2);
    EXPECT_EQ(request.radius_precision(), v1::RADIUS_PRECISION_FAST);
    EXPECT_EQ(request.epsilon(), 1.5);
    seen.insert(request.images().data());
  }
  // 256 random images, in pairs.
  EXPECT_EQ(seen.size(), std::min<std::size_t>(server.requests().size(), 128));
  EXPECT_NEAR(result["images_per_second"].get<double>(),
              2.0 * result["calls_per_second"].get<double>(), 1e-6);
}

TEST(LoadCommandTest, SaysForPeopleWhatItFound) {
  const FakeClassifierServer server;
  absl::Status status;
  const std::string text = Load(server, ShortLoad(), status);
  EXPECT_THAT(text, HasSubstr("mnist08 version"));
  EXPECT_THAT(text, HasSubstr("4 calls in flight on 1 connection, 1 image each"));
  EXPECT_THAT(text, HasSubstr("p99.9"));
}

TEST(LoadCommandTest, ARunWithoutAnyAnswerFailsAfterSayingWhatHappened) {
  const FakeClassifierServer server([](grpc::ServerContext&, int, v1::ClassifyResponse&) {
    return grpc::Status(grpc::StatusCode::INTERNAL, "broken");
  });
  absl::Status status;
  const std::string text = Load(server, ShortLoad(), status);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(text, HasSubstr("INTERNAL"));
  EXPECT_THAT(text, HasSubstr("first error: broken"));
}

TEST(LoadCommandTest, RefusesWhatCannotBeSent) {
  const FakeClassifierServer server;
  absl::Status status;
  LoadFlags flags = ShortLoad();
  flags.images_per_call = 1'000'000;
  Load(server, flags, status);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--images-per-call: expected at most"));
  flags = ShortLoad();
  flags.load.connections = 5;
  Load(server, flags, status);
  EXPECT_THAT(std::string(status.message()), HasSubstr("each of 5 connections, got 4"));
  EXPECT_TRUE(server.requests().empty());
}

}  // namespace
}  // namespace lipserve
