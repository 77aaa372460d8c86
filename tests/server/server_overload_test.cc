// SPDX-License-Identifier: Apache-2.0
// What happens to requests that cannot be answered at once. The servers here have no workers, so
// that requests stay in the queue until the test says otherwise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/http_get.h"
#include "tests/server/infer_request.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A clock that leaps ahead by an hour whenever it is read.
class LeapingClock final : public Clock {
 public:
  TimePoint Now() const override { return TimePoint(std::chrono::hours(++reads_)); }

 private:
  mutable std::atomic<int> reads_{0};
};

class ServerOverloadTest : public ::testing::Test {
 protected:
  ServerOverloadTest() { folder_.Add("small", "1", SmallModel()); }

  ServerOptions OptionsWithoutWorkers() const {
    ServerOptions options = TestOptions(folder_);
    options.workers = 0;
    options.inline_budget = std::chrono::microseconds(0);
    return options;
  }

  const v1::ClassifyRequest request_ = Fp32Request("small", RandomInputs(1, 1));
  TemporaryModels folder_;
};

TEST_F(ServerOverloadTest, AFullQueueRefusesWithAPushbackAndDrainingAnswersTheRest) {
  ServerOptions options = OptionsWithoutWorkers();
  options.queue_capacity = 2;
  options.max_images_per_call = 2;
  TestServer server(options);
  AsyncCalls calls(server.stub(), request_);
  calls.Start();
  calls.Start();
  server.WaitForMetric("lipserve_queue_depth 2\n");

  const AsyncCalls::Result& refused = calls.StartAndWait();
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.status.error_message(), HasSubstr("2 of 2 images wait"));
  EXPECT_GE(std::stoi(refused.Trailer("grpc-retry-pushback-ms")), 1);
  EXPECT_THAT(server.Metrics(), HasSubstr("reason=\"queue_full\",version=\"1\"} 1\n"));

  server.server().Stop();
  for (int i = 0; i < 2; ++i) {
    const AsyncCalls::Result& answered = calls.Wait();
    EXPECT_TRUE(answered.status.ok()) << answered.status.error_message();
    EXPECT_EQ(answered.response.classifications_size(), 1);
  }
}

// A byte count that no decoder lets pass shows whether it was asked.
TEST_F(ServerOverloadTest, WhatFindsNoRoomIsRefusedBeforeItIsDecoded) {
  ServerOptions options = OptionsWithoutWorkers();
  options.queue_capacity = 2;
  options.max_images_per_call = 2;
  TestServer server(options);
  AsyncCalls calls(server.stub(), Fp32Request("small", RandomInputs(1, 2)));
  calls.Start();
  server.WaitForMetric("lipserve_queue_depth 2\n");

  v1::ClassifyRequest odd = request_;
  odd.mutable_images()->mutable_data()->pop_back();
  EXPECT_EQ(server.Classify(odd).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  inference::ModelInferRequest odd_too = RawInferRequest("small", RandomInputs(1, 1));
  odd_too.mutable_raw_input_contents(0)->pop_back();
  inference::ModelInferResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(server.inference().ModelInfer(&context, odd_too, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  // To wait would not help these.
  for (const std::int64_t images : {-1, 0, 3}) {
    odd.mutable_images()->set_shape(0, images);
    EXPECT_EQ(server.Classify(odd).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << images;
  }
  odd.mutable_images()->clear_shape();
  EXPECT_EQ(server.Classify(odd).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  server.server().Stop();
}

// Each of the calls that wait for requests gets one of the large ones.
TEST_F(ServerOverloadTest, IdleCallsDoNotKeepTheMemoryOfLargeRequests) {
  constexpr std::size_t kBytes = std::size_t{1} << 20;
  constexpr int kCalls = 200;
  TestServer server(TestOptions(folder_));
  v1::ClassifyRequest large = request_;
  large.mutable_images()->mutable_data()->resize(kBytes);
  ASSERT_EQ(server.Classify(large).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const std::size_t before = ::mallinfo2().uordblks;
  for (int i = 0; i < kCalls; ++i) server.Classify(large);
  EXPECT_LT(::mallinfo2().uordblks, before + 16 * kBytes);
}

TEST_F(ServerOverloadTest, WhatExpiresInTheQueueIsNotComputed) {
  const LeapingClock clock;
  TestServer server(TestOptions(folder_), clock);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(5));
  v1::ClassifyResponse response;
  const grpc::Status status = server.stub().Classify(&context, request_, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("nothing was computed"));
  EXPECT_THAT(server.Metrics(), HasSubstr("reason=\"deadline\",version=\"1\"} 1\n"));
  EXPECT_THAT(server.Metrics(),
              HasSubstr("lipserve_batch_size_count{model=\"small\",version=\"1\"} 0\n"));
}

TEST_F(ServerOverloadTest, WithoutADeadlineNothingExpires) {
  const LeapingClock clock;
  TestServer server(TestOptions(folder_), clock);
  EXPECT_TRUE(server.Classify(request_).ok());
}

TEST_F(ServerOverloadTest, WhatIsCancelledInTheQueueIsNotComputed) {
  TestServer server(OptionsWithoutWorkers());
  AsyncCalls calls(server.stub(), request_);
  calls.Start();
  server.WaitForMetric("lipserve_queue_depth 1\n");
  calls.CancelAll();
  EXPECT_EQ(calls.Wait().status.error_code(), grpc::StatusCode::CANCELLED);
  // The server learns of it on the connection that this call comes by, too, and afterwards.
  v1::ListModelsResponse list;
  grpc::ClientContext context;
  ASSERT_TRUE(server.stub().ListModels(&context, {}, &list).ok());
  server.server().Stop();
  EXPECT_THAT(server.server().MetricsText(), HasSubstr("reason=\"cancelled\",version=\"1\"} 1\n"));
}

TEST_F(ServerOverloadTest, DrainingIsNotReadyAndAnswers) {
  TestServer server(TestOptions(folder_));
  server.server().StartDraining();
  EXPECT_EQ(server.HealthOf(""), "NOT_SERVING");
  EXPECT_EQ(server.HealthOf("lipserve.v1.ClassifierService"), "NOT_SERVING");
  EXPECT_THAT(HttpGet(server.server().http_address().port, "/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_TRUE(server.Classify(request_).ok());
}

TEST_F(ServerOverloadTest, StoppingWithCallsOnTheirWayEndsEveryCall) {
  for (int i = 0; i < 10; ++i) {
    TestServer server(TestOptions(folder_));
    AsyncCalls calls(server.stub(), request_);
    for (int call = 0; call < 20; ++call) calls.Start();
    server.server().Stop();
    for (int call = 0; call < 20; ++call) {
      const grpc::Status status = calls.Wait().status;
      // gRPC itself cancels what crosses its shutdown on the wire.
      EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                  status.error_code() == grpc::StatusCode::CANCELLED)
          << status.error_message();
    }
  }
}

}  // namespace
}  // namespace lipserve
