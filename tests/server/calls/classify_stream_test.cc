// SPDX-License-Identifier: Apache-2.0
// Streams of both protocols of a whole server in this process, over loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/infer_request.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ClassifyStreamTest : public ::testing::Test {
 protected:
  ClassifyStreamTest() { folder_.Add("first", "1", SmallModel(1)); }

  static v1::ClassifyStreamRequest Numbered(int number) {
    v1::ClassifyStreamRequest request;
    *request.mutable_request() = Fp32Request(
        number % 7 == 3 ? "nobody" : "first",
        RandomInputs(static_cast<std::uint64_t>(number), 1 + static_cast<std::size_t>(number) % 6));
    request.mutable_request()->set_request_id(std::to_string(number));
    return request;
  }

  TemporaryModels folder_;
};

TEST_F(ClassifyStreamTest, AnswersEachRequestInItsTurnAndGoesOnAfterAnError) {
  constexpr int kRequests = 200;  // many times the window
  TestServer server{TestOptions(folder_)};
  grpc::ClientContext context;
  const auto stream = server.stub().ClassifyStream(&context);
  std::thread writer([&stream] {
    for (int i = 0; i < kRequests; ++i) ASSERT_TRUE(stream->Write(Numbered(i)));
    ASSERT_TRUE(stream->WritesDone());
  });
  for (int i = 0; i < kRequests; ++i) {
    v1::ClassifyStreamResponse response;
    ASSERT_TRUE(stream->Read(&response)) << i;
    if (i % 7 == 3) {
      ASSERT_EQ(response.error().code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));
      EXPECT_THAT(response.error().message(), HasSubstr("nobody"));
      continue;
    }
    ASSERT_EQ(response.response().request_id(), std::to_string(i));
    v1::ClassifyResponse expected;
    ASSERT_TRUE(server.Classify(Numbered(i).request(), &expected).ok());
    ASSERT_EQ(response.response().SerializeAsString(), expected.SerializeAsString());
  }
  writer.join();
  v1::ClassifyStreamResponse none;
  EXPECT_FALSE(stream->Read(&none));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_THAT(server.Metrics(),
              HasSubstr("lipserve_requests_total{code=\"OK\",method=\"ClassifyStream\","
                        "model=\"first\",version=\"1\"} 171"));
}

TEST_F(ClassifyStreamTest, InferenceStreamsAnswerEachRequestInItsTurn) {
  constexpr int kRequests = 50;
  TestServer server{TestOptions(folder_)};
  grpc::ClientContext context;
  const auto stream = server.inference().ModelStreamInfer(&context);
  for (int i = 0; i < kRequests; ++i) {
    inference::ModelInferRequest request = RawInferRequest("first", RandomInputs(5, 1));
    request.set_id(std::to_string(i));
    if (i % 2 == 1) request.mutable_inputs(0)->set_name("pictures");
    if (i % 3 == 1) {
      (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
    }
    ASSERT_TRUE(stream->Write(request));
    inference::ModelStreamInferResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.infer_response().id(), std::to_string(i));
    if (i % 2 == 1) {
      EXPECT_THAT(response.error_message(), StartsWith("INVALID_ARGUMENT: inputs[0].name:"));
      EXPECT_EQ(response.infer_response().outputs_size(), 0);
    } else {
      EXPECT_EQ(response.error_message(), "");
      EXPECT_EQ(response.infer_response().outputs_size(), 5);
      EXPECT_EQ(response.infer_response().parameters().contains("triton_final_response"),
                i % 3 == 1);
    }
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ClassifyStreamTest, AFullQueueIsToldToTheRequestAndTheStreamGoesOn) {
  ServerOptions options = TestOptions(folder_);
  options.workers = 0;
  options.inline_budget = std::chrono::microseconds(0);
  options.queue_capacity = options.max_images_per_call = 1;
  TestServer server(options);
  grpc::ClientContext context;
  const auto stream = server.stub().ClassifyStream(&context);
  v1::ClassifyStreamRequest request;
  *request.mutable_request() = Fp32Request("first", RandomInputs(5, 1));
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->WritesDone());
  server.WaitForMetric("lipserve_rejected_total{model=\"first\",reason=\"queue_full\"");
  server.server().Stop();  // answers the one that waits
  v1::ClassifyStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.has_response());
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.error().code(), static_cast<int>(grpc::StatusCode::RESOURCE_EXHAUSTED));
  ASSERT_EQ(response.error().details_size(), 1);
  EXPECT_EQ(response.error().details(0).type_url(), "type.googleapis.com/google.rpc.RetryInfo");
}

TEST_F(ClassifyStreamTest, StreamsThatAreCancelledAbandonedOrIdleDoNotHoldUpTheEnd) {
  ServerOptions options = TestOptions(folder_);
  options.workers = 0;
  options.inline_budget = std::chrono::microseconds(0);
  auto server = std::make_unique<TestServer>(options);
  grpc::ClientContext cancelled;
  const auto first = server->stub().ClassifyStream(&cancelled);
  v1::ClassifyStreamRequest request;
  *request.mutable_request() = Fp32Request("first", RandomInputs(5, 1));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(first->Write(request));
  grpc::ClientContext idle;
  const auto second = server->inference().ModelStreamInfer(&idle);
  ASSERT_TRUE(second->Write(RawInferRequest("first", RandomInputs(5, 1))));
  server->WaitForMetric("lipserve_queue_depth 6");
  cancelled.TryCancel();
  EXPECT_EQ(first->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server->server().Stop();
  inference::ModelStreamInferResponse response;
  EXPECT_TRUE(second->Read(&response));
  EXPECT_EQ(response.infer_response().outputs_size(), 5);
  EXPECT_FALSE(second->Read(&response));
  EXPECT_FALSE(second->Finish().ok());
}

TEST_F(ClassifyStreamTest, ManyStreamsAtOnceGetTheirOwnAnswers) {
  constexpr int kStreams = 8;
  constexpr int kRequests = 40;
  TestServer server{TestOptions(folder_)};
  std::vector<std::thread> clients;
  for (int client = 0; client < kStreams; ++client) {
    clients.emplace_back([&server, client] {
      grpc::ClientContext context;
      const auto stream = server.stub().ClassifyStream(&context);
      for (int i = 0; i < kRequests; ++i) {
        v1::ClassifyStreamRequest request;
        *request.mutable_request() = Fp32Request("first", RandomInputs(5, 1));
        request.mutable_request()->set_request_id(std::to_string(client) + "/" + std::to_string(i));
        ASSERT_TRUE(stream->Write(request));
        v1::ClassifyStreamResponse response;
        ASSERT_TRUE(stream->Read(&response));
        ASSERT_EQ(response.response().request_id(), request.request().request_id());
      }
      ASSERT_TRUE(stream->WritesDone());
      ASSERT_TRUE(stream->Finish().ok());
    });
  }
  for (std::thread& client : clients) client.join();
}

}  // namespace
}  // namespace lipserve
