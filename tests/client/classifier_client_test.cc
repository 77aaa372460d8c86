// SPDX-License-Identifier: Apache-2.0
#include "client/classifier_client.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_classifier_server.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// `count` images of 1x4x4 pixels; image i is filled with i.
v1::ImageBatch Images(int count) {
  v1::ImageBatch batch;
  batch.set_element_type(v1::ELEMENT_TYPE_UINT8);
  for (const std::int64_t axis : {count, 1, 4, 4}) batch.add_shape(axis);
  for (int i = 0; i < count; ++i) batch.mutable_data()->append(16, static_cast<char>(i));
  return batch;
}

ClassifierClient ClientOf(const FakeClassifierServer& server) {
  return ClassifierClient({.address = server.address()});
}

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

TEST(ClassifierClientTest, SendsEveryOption) {
  FakeClassifierServer server;
  const auto answer =
      ClientOf(server).Classify(Images(3), {.model = {.name = "mnist08", .version = 3},
                                            .epsilon = 1.5,
                                            .request_id = "r-17",
                                            .radius_precision = v1::RADIUS_PRECISION_FAST});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->request_id(), "r-17");
  EXPECT_FALSE(answer->classifications(1).certified_at_epsilon());
  EXPECT_TRUE(answer->classifications(2).certified_at_epsilon());
  const v1::ClassifyRequest request = server.requests().at(0);
  EXPECT_EQ(request.model_name(), "mnist08");
  EXPECT_EQ(request.model_version(), 3);
  EXPECT_EQ(request.epsilon(), 1.5);
  EXPECT_EQ(request.radius_precision(), v1::RADIUS_PRECISION_FAST);
  EXPECT_EQ(request.images().data().size(), 48U);
}

TEST(ClassifierClientTest, AnEpsilonThatWasNotAskedForIsNotSent) {
  FakeClassifierServer server;
  ASSERT_TRUE(ClientOf(server).Classify(Images(1), {}).ok());
  EXPECT_FALSE(server.requests().at(0).has_epsilon());
}

TEST(ClassifierClientTest, PiecesJoinInOrderAndTheFirstPinsTheVersion) {
  FakeClassifierServer server;
  const auto answer =
      ClientOf(server).ClassifyInPieces(Images(7), {.model = {.label = "stable"}}, 3);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->classifications_size(), 7);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(answer->classifications(i).certified_radius_l2(), i);
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].model_version(), 0);
  EXPECT_EQ(requests[0].model_label(), "stable");
  EXPECT_EQ(requests[1].model_version(), 3);
  EXPECT_EQ(requests[1].model_label(), "");
  EXPECT_EQ(requests[2].images().shape(0), 1);
}

TEST(ClassifierClientTest, ALabelNamesTheVersionOfTheFirstPieceAndItsNumberThatOfTheRest) {
  FakeClassifierServer server;
  const auto answer =
      ClientOf(server).ClassifyInPieces(Images(3), {.model = {.label = "canary"}}, 1);
  ASSERT_TRUE(answer.ok()) << answer.status();
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].model_label(), "canary");
  EXPECT_EQ(requests[0].model_version(), 0);
  for (const std::size_t piece : {1U, 2U}) {
    EXPECT_EQ(requests[piece].model_label(), "");
    EXPECT_EQ(requests[piece].model_version(), 3);
  }
}

TEST(ClassifierClientTest, PiecesStayBelowTheMessageLimit) {
  FakeClassifierServer server;
  v1::ImageBatch batch;
  batch.set_element_type(v1::ELEMENT_TYPE_UINT8);
  for (const std::int64_t axis : {5, 1, 1024, 1024}) batch.add_shape(axis);
  batch.set_data(std::string(std::size_t{5} << 20, '\1'));
  const auto answer = ClientOf(server).ClassifyInPieces(batch, {}, 1000);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST(ClassifierClientTest, RefusesAnAnswerFromAnotherModelFileInBetween) {
  FakeClassifierServer server([](auto&, int call, v1::ClassifyResponse& response) {
    if (call == 1) response.mutable_model()->set_digest_sha256(std::string(32, 'z'));
    return grpc::Status::OK;
  });
  const auto answer = ClientOf(server).ClassifyInPieces(Images(2), {}, 1);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kAborted);
}

TEST(ClassifierClientTest, RefusesAnswersThatLeaveOutWhatTheProtocolPromises) {
  FakeClassifierServer without_precision([](auto&, int, v1::ClassifyResponse& response) {
    response.clear_radius_precision();
    return grpc::Status::OK;
  });
  EXPECT_THAT(MessageOf(ClientOf(without_precision).Classify(Images(1), {}).status()),
              HasSubstr("expected the precision of the radii, got none"));
  FakeClassifierServer without_square([](auto&, int, v1::ClassifyResponse& response) {
    response.mutable_classifications(1)->clear_certified_pixel_radius_squared();
    return grpc::Status::OK;
  });
  v1::ImageBatch images = Images(2);
  EXPECT_THAT(MessageOf(ClientOf(without_square).Classify(images, {}).status()),
              HasSubstr("expected a squared pixel radius for each UINT8 image, got none"));
  images.set_element_type(v1::ELEMENT_TYPE_FP32);
  EXPECT_TRUE(ClientOf(without_square).Classify(images, {}).ok());
}

TEST(ClassifierClientTest, RefusesTooFewAnswers) {
  FakeClassifierServer server([](auto&, int, v1::ClassifyResponse& response) {
    response.mutable_classifications()->RemoveLast();
    return grpc::Status::OK;
  });
  const auto answer = ClientOf(server).Classify(Images(2), {});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(MessageOf(answer.status()), HasSubstr("expected 2 answers, got 1"));
}

TEST(ClassifierClientTest, RefusesABatchThatIsNoWholeNumberOfImages) {
  FakeClassifierServer server;
  v1::ImageBatch batch = Images(3);
  batch.mutable_data()->pop_back();
  const auto answer = ClientOf(server).ClassifyInPieces(batch, {}, 10);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(server.requests().empty());
}

TEST(ClassifierClientTest, ErrorsCarryAddressMethodCodeAndTheServersText) {
  FakeClassifierServer server;
  const auto answer = ClientOf(server).DescribeModel({.name = "nothing"});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MessageOf(answer.status()),
            server.address() + ": DescribeModel: NOT_FOUND: model \"nothing\": not served");
}

TEST(ClassifierClientTest, AnAbsentServerIsUnavailableWithAHint) {
  FakeClassifierServer server;
  const std::string address = server.address();
  server.Stop();
  const auto answer = ClassifierClient({.address = address}).ListModels();
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(answer.status()), StartsWith(address + ": ListModels: UNAVAILABLE"));
  EXPECT_THAT(MessageOf(answer.status()), HasSubstr("is lipserve-server running there?"));
}

TEST(ClassifierClientTest, ADeadlineEndsACallThatTheServerNeverAnswers) {
  FakeClassifierServer server([](grpc::ServerContext& context, int, v1::ClassifyResponse&) {
    while (!context.IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  });
  const ClassifierClient client({.address = server.address(), .timeout = absl::Milliseconds(50)});
  const auto answer = client.Classify(Images(1), {});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(MessageOf(answer.status()), HasSubstr("the call was given 50ms"));
}

TEST(ClassifierClientTest, TriesAgainWhenTheQueueWasFull) {
  FakeClassifierServer server([](grpc::ServerContext& context, int call, v1::ClassifyResponse&) {
    if (call >= 2) return grpc::Status::OK;
    context.AddTrailingMetadata("grpc-retry-pushback-ms", "1");
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full");
  });
  const auto answer = ClientOf(server).Classify(Images(1), {});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(server.requests().size(), 3U);
}

TEST(ClassifierClientTest, TriesAgainWhenTheServerDroppedOrRefusedTheCall) {
  for (const auto code : {grpc::StatusCode::CANCELLED, grpc::StatusCode::UNAVAILABLE}) {
    FakeClassifierServer server([code](auto&, int call, v1::ClassifyResponse&) {
      return call == 0 ? grpc::Status(code, "shutting down") : grpc::Status::OK;
    });
    const auto answer = ClientOf(server).Classify(Images(1), {});
    EXPECT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(server.requests().size(), 2U);
  }
}

TEST(ClassifierClientTest, DoesNotRepeatARefusedRequest) {
  FakeClassifierServer server([](auto&, int, v1::ClassifyResponse&) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "images: expected ..., got ...");
  });
  const auto answer = ClientOf(server).Classify(Images(1), {});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(ClassifierClientTest, HealthFollowsTheServer) {
  FakeClassifierServer server;
  const ClassifierClient client = ClientOf(server);
  EXPECT_EQ(*client.CheckHealth(""), ServingStatus::kServing);
  server.SetServing(false);
  EXPECT_EQ(*client.CheckHealth(""), ServingStatus::kNotServing);
  EXPECT_EQ(client.CheckHealth("no.such.Service").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace lipserve
