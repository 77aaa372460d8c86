// SPDX-License-Identifier: Apache-2.0
#include "client/balanced_channel.h"

#include <algorithm>
#include <array>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/classifier_client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_classifier_server.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

// More calls than anything that happens in the background should take.
constexpr int kMostCalls = 20000;

v1::ImageBatch OneImage() {
  v1::ImageBatch batch;
  batch.set_element_type(v1::ELEMENT_TYPE_UINT8);
  for (const std::int64_t axis : {1, 1, 4, 4}) batch.add_shape(axis);
  batch.set_data(std::string(16, '\1'));
  return batch;
}

class BalancedChannelTest : public ::testing::Test {
 protected:
  // Calls until `done` and says how many calls that took; every call must be answered.
  template <typename Condition>
  int CallUntil(const Condition& done) {
    int calls = 0;
    while (!done() && calls < kMostCalls) {
      const auto answer = client_.Classify(OneImage(), {});
      EXPECT_TRUE(answer.ok()) << "call " << calls << ": " << answer.status();
      if (!answer.ok()) break;
      ++calls;
    }
    return calls;
  }

  // Lets every server get calls, so that all connections are there.
  void MeetAll() {
    ASSERT_LT(CallUntil([this] {
                return std::all_of(servers_.begin(), servers_.end(),
                                   [](const auto& server) { return !server.requests().empty(); });
              }),
              kMostCalls);
  }

  std::array<FakeClassifierServer, 3> servers_;
  const ClassifierClient client_{
      {.address = absl::StrCat(servers_[0].address(), ",", servers_[1].address(), ",",
                               servers_[2].address()),
       .timeout = absl::Seconds(60)}};
};

TEST_F(BalancedChannelTest, EveryServerGetsItsTurn) {
  MeetAll();
  std::array<std::size_t, 3> before{};
  for (std::size_t i = 0; i < 3; ++i) before[i] = servers_[i].requests().size();
  int calls = 0;
  CallUntil([&calls] { return ++calls > 30; });
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(servers_[i].requests().size(), before[i] + 10);
}

TEST_F(BalancedChannelTest, AServerThatGoesAwayFailsNoCall) {
  MeetAll();
  servers_[1].Stop();
  int calls = 0;
  CallUntil([&calls] { return ++calls > 100; });
  servers_[0].Stop();
  calls = 0;
  CallUntil([&calls] { return ++calls > 100; });
}

TEST_F(BalancedChannelTest, AServerThatIsNotServingGetsNoCallsUntilItIs) {
  MeetAll();
  servers_[2].SetServing(false);
  const auto is_left_alone = [this] {
    const std::size_t before = servers_[2].requests().size();
    int calls = 0;
    CallUntil([&calls] { return ++calls > 30; });
    return servers_[2].requests().size() == before;
  };
  EXPECT_LT(CallUntil(is_left_alone), kMostCalls);
  servers_[2].SetServing(true);
  EXPECT_LT(CallUntil([&] { return !is_left_alone(); }), kMostCalls);
}

TEST(BalancedChannelFailureTest, ARefusedCallIsRepeatedAtAnotherServer) {
  FakeClassifierServer refusing([](auto&, int, v1::ClassifyResponse&) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
  });
  FakeClassifierServer answering;
  const ClassifierClient client(
      {.address = absl::StrCat(refusing.address(), ",", answering.address()),
       .timeout = absl::Seconds(60)});
  // Both connections are there once both have been called.
  while (refusing.requests().empty() || answering.requests().empty()) {
    std::ignore = client.Classify(OneImage(), {});
  }
  for (int call = 0; call < 20; ++call) {
    const auto answer = client.Classify(OneImage(), {});
    EXPECT_TRUE(answer.ok()) << answer.status();
  }
  EXPECT_GT(refusing.requests().size(), 5U);
}

TEST(BalancedChannelFailureTest, WithoutAServingServerTheErrorSaysSo) {
  FakeClassifierServer server;
  server.SetServing(false);
  const ClassifierClient client({.address = server.address(), .timeout = absl::Seconds(60)});
  const auto answer = client.Classify(OneImage(), {});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(answer.status().message()), HasSubstr("not serving"));
  EXPECT_EQ(*client.CheckHealth(""), ServingStatus::kNotServing);
}

// In a storm of refusals, repeating each call four times would keep the storm going.
TEST(BalancedChannelFailureTest, WhenMostTriesFailCallsAreNotRepeated) {
  FakeClassifierServer overloaded([](grpc::ServerContext& context, int, v1::ClassifyResponse&) {
    context.AddTrailingMetadata("grpc-retry-pushback-ms", "0");
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "the queue is full");
  });
  const ClassifierClient client({.address = overloaded.address(), .timeout = absl::Seconds(60)});
  constexpr int kCalls = 700;  // more than the 500 failures that are allowed at once
  for (int call = 0; call < kCalls; ++call) std::ignore = client.Classify(OneImage(), {});
  const std::size_t before = overloaded.requests().size();
  EXPECT_LT(before, 2U * kCalls);
  std::ignore = client.Classify(OneImage(), {});
  EXPECT_EQ(overloaded.requests().size(), before + 1);
}

}  // namespace
}  // namespace lipserve
