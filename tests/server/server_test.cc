// SPDX-License-Identifier: Apache-2.0
// A whole server in this process, asked over loopback.
#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "model/execution/exact_network.h"
#include "tests/server/expected_answers.h"
#include "tests/server/http_get.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    folder_.Add("first", "1", SmallModel(1));
    folder_.Add("first", "2", SmallModel(2));
    folder_.Add("second", "1", SmallModel(3));
  }

  TestServer NewServer() { return TestServer(TestOptions(folder_)); }

  TemporaryModels folder_;
};

TEST_F(ServerTest, AnswersFloatImagesAsTheModelDoes) {
  TestServer server = NewServer();
  const std::vector<float> inputs = RandomInputs(11, 20);  // more than a batch
  const std::vector<Answer> expected = AnswersOf(SmallModel(2), inputs);
  v1::ClassifyResponse response;
  ASSERT_TRUE(server.Classify(Fp32Request("first", inputs), &response).ok());
  EXPECT_EQ(response.model().name(), "first");
  EXPECT_EQ(response.model().version(), 2);  // the newest
  EXPECT_EQ(response.radius_unit(), v1::RADIUS_UNIT_INPUT);
  ASSERT_EQ(response.classifications_size(), 20);
  for (int i = 0; i < 20; ++i) {
    const Answer& answer = expected[static_cast<std::size_t>(i)];
    ExpectSame(response.classifications(i), answer, answer.radius_l2);
  }
}

// Products beyond float32 are infinite or NaN in the first stage. A sort of 64 numbers meets them.
TEST_F(ServerTest, AnswersWhereFloat32Overflows) {
  FrozenModel model = SeededModel(5, {.channels = 1, .height = 4, .width = 4}, 64, 3);
  auto& first = std::get<DenseLayer>(model.network.layers[1]);
  for (std::size_t k = 0; k < first.weights.size(); ++k) {
    first.weights[k] = k % 3 == 0 ? -1e20F : 1e20F;
  }
  first.claimed_operator_norm_bound =
      BoundOperatorNorm({first.weights.data(), first.outputs, first.inputs}).value();
  model.network.layers[2] = GroupSortLayer{.group_size = 64};
  folder_.Add("overflow", "1", model);
  const ExactNetwork exact(model.network);
  TestServer server = NewServer();
  std::vector<float> inputs = RandomInputs(12, 20);
  for (float& x : inputs) x *= 1e30F;
  for (const v1::RadiusPrecision precision :
       {v1::RADIUS_PRECISION_TIGHT, v1::RADIUS_PRECISION_FAST}) {
    v1::ClassifyRequest request = Fp32Request("overflow", inputs);
    request.set_radius_precision(precision);
    v1::ClassifyResponse response;
    const grpc::Status status = server.Classify(request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    for (std::size_t i = 0; i < 20; ++i) {
      const auto input = std::span(inputs).subspan(i * kSmallInputSize, kSmallInputSize);
      EXPECT_EQ(response.classifications(static_cast<int>(i)).class_index(),
                static_cast<std::int64_t>(exact.ClassOf(input)));
    }
  }
}

TEST_F(ServerTest, AnswersPixelImagesAsTheModelDoesWithTheRadiusInPixels) {
  TestServer server = NewServer();
  const PixelScaling scaling(SmallModel().pixel_divisor);
  v1::ClassifyRequest request = Fp32Request("second", {});
  std::vector<float> inputs;
  request.mutable_images()->set_element_type(v1::ELEMENT_TYPE_UINT8);
  for (std::size_t i = 0; i < 3 * kSmallInputSize; ++i) {
    const auto pixel = static_cast<std::uint8_t>(i * 37);
    request.mutable_images()->mutable_data()->push_back(static_cast<char>(pixel));
    inputs.push_back(scaling[pixel]);
  }
  request.mutable_images()->set_shape(0, 3);
  const std::vector<Answer> expected = AnswersOf(SmallModel(3), inputs);
  v1::ClassifyResponse response;
  ASSERT_TRUE(server.Classify(request, &response).ok());
  EXPECT_EQ(response.radius_unit(), v1::RADIUS_UNIT_PIXEL);
  ASSERT_EQ(response.classifications_size(), 3);
  for (int i = 0; i < 3; ++i) {
    const Answer& answer = expected[static_cast<std::size_t>(i)];
    ExpectSame(response.classifications(i), answer, scaling.PixelRadius(answer.radius_l2));
  }
}

TEST_F(ServerTest, AnswersInThePrecisionThatWasAskedFor) {
  TestServer server = NewServer();
  v1::ClassifyRequest request = Fp32Request("first", RandomInputs(11, 20));
  v1::ClassifyResponse tight;
  ASSERT_TRUE(server.Classify(request, &tight).ok());
  request.set_radius_precision(v1::RADIUS_PRECISION_FAST);
  v1::ClassifyResponse fast;
  ASSERT_TRUE(server.Classify(request, &fast).ok());
  EXPECT_EQ(tight.radius_precision(), v1::RADIUS_PRECISION_TIGHT);
  EXPECT_EQ(fast.radius_precision(), v1::RADIUS_PRECISION_FAST);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(fast.classifications(i).class_index(), tight.classifications(i).class_index());
    EXPECT_EQ(fast.classifications(i).decided_by(), v1::DECISION_STAGE_FLOAT32);
    EXPECT_LT(fast.classifications(i).certified_radius_l2(),
              tight.classifications(i).certified_radius_l2());
  }
  request.set_radius_precision(static_cast<v1::RadiusPrecision>(9));
  EXPECT_EQ(server.Classify(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerTest, AnswersTheSameInlineAndByAWorker) {
  const std::vector<float> inputs = RandomInputs(5, 1);
  std::vector<std::string> responses;
  for (const int inline_budget_us : {0, 1000000}) {
    ServerOptions options = TestOptions(folder_);
    options.inline_budget = std::chrono::microseconds(inline_budget_us);
    if (inline_budget_us > 0) options.workers = 0;  // nobody else could answer
    TestServer server(options);
    v1::ClassifyResponse response;
    ASSERT_TRUE(server.Classify(Fp32Request("first", inputs), &response).ok());
    responses.push_back(response.SerializeAsString());
  }
  EXPECT_EQ(responses[0], responses[1]);
}

TEST_F(ServerTest, ConcurrentClientsGetTheirOwnAnswers) {
  constexpr std::uint64_t kClients = 8;
  constexpr int kCalls = 100;
  TestServer server = NewServer();
  std::vector<std::thread> clients;
  for (std::uint64_t client = 0; client < kClients; ++client) {
    clients.emplace_back([&server, client] {
      const std::string name = client % 2 == 0 ? "first" : "second";
      const std::vector<float> inputs = RandomInputs(client, 1 + client % 3);
      const std::vector<Answer> expected = AnswersOf(SmallModel(client % 2 == 0 ? 2 : 3), inputs);
      v1::ClassifyRequest request = Fp32Request(name, inputs);
      for (int call = 0; call < kCalls; ++call) {
        request.set_request_id(std::to_string(client) + "/" + std::to_string(call));
        v1::ClassifyResponse response;
        ASSERT_TRUE(server.Classify(request, &response).ok());
        ASSERT_EQ(response.request_id(), request.request_id());
        ASSERT_EQ(response.model().name(), name);
        ASSERT_EQ(response.classifications_size(), static_cast<int>(expected.size()));
        for (int i = 0; i < response.classifications_size(); ++i) {
          const Answer& answer = expected[static_cast<std::size_t>(i)];
          ExpectSame(response.classifications(i), answer, answer.radius_l2);
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_THAT(server.Metrics(),
              HasSubstr("lipserve_requests_total{code=\"OK\",method=\"Classify\",model=\"first\","
                        "version=\"2\"} 400\n"));
  EXPECT_THAT(server.Metrics(), AllOf(HasSubstr("lipserve_inflight_requests 0\n"),
                                      HasSubstr("lipserve_queue_depth 0\n")));
}

TEST_F(ServerTest, UnknownModelsAreNotFoundAndTheErrorListsWhatIsServed) {
  TestServer server = NewServer();
  const grpc::Status status = server.Classify(Fp32Request("third", RandomInputs(1, 1)));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("served: first/1, first/2, second/1"));
}

TEST_F(ServerTest, WrongRequestsAreInvalidArgumentAndTheNextOneIsAnswered) {
  TestServer server = NewServer();
  v1::ClassifyRequest wrong = Fp32Request("first", RandomInputs(1, 1));
  wrong.mutable_images()->mutable_data()->pop_back();
  const grpc::Status status = server.Classify(wrong);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("expected 64 bytes"));
  EXPECT_TRUE(server.Classify(Fp32Request("first", RandomInputs(1, 1))).ok());
  EXPECT_THAT(server.Metrics(), HasSubstr("reason=\"invalid\",version=\"2\"} 1\n"));
}

TEST_F(ServerTest, ListsAndDescribesWhatItServes) {
  TestServer server = NewServer();
  v1::ListModelsResponse list;
  grpc::ClientContext list_context;
  ASSERT_TRUE(server.stub().ListModels(&list_context, {}, &list).ok());
  std::vector<std::string> names;
  for (const v1::ModelIdentity& model : list.models()) {
    names.push_back(model.name() + "/" + std::to_string(model.version()));
    EXPECT_EQ(model.digest_sha256().size(), 32U);
  }
  EXPECT_THAT(names, ElementsAre("first/1", "first/2", "second/1"));

  v1::DescribeModelRequest request;
  request.set_model_name("first");
  request.set_model_version(1);
  v1::DescribeModelResponse description;
  grpc::ClientContext describe_context;
  ASSERT_TRUE(server.stub().DescribeModel(&describe_context, request, &description).ok());
  EXPECT_EQ(description.model().digest_sha256(), list.models(0).digest_sha256());
  EXPECT_THAT(description.input_shape(), ElementsAre(1, 4, 4));
  EXPECT_EQ(description.max_images_per_call(), 32);

  request.set_model_version(7);
  grpc::ClientContext unknown_context;
  EXPECT_EQ(server.stub().DescribeModel(&unknown_context, request, &description).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerTest, HealthServiceAndReadyzSayServing) {
  TestServer server = NewServer();
  EXPECT_EQ(server.HealthOf(""), "SERVING");
  EXPECT_EQ(server.HealthOf("lipserve.v1.ClassifierService"), "SERVING");
  EXPECT_EQ(server.HealthOf("no.such.Service"), "NOT_FOUND");
  EXPECT_THAT(HttpGet(server.server().http_address().port, "/readyz"), StartsWith("HTTP/1.1 200"));
}

TEST_F(ServerTest, ReflectionNamesTheServices) {
  TestServer server = NewServer();
  EXPECT_THAT(server.ReflectedServices(), AllOf(HasSubstr("lipserve.v1.ClassifierService"),
                                                HasSubstr("grpc.health.v1.Health")));
}

TEST_F(ServerTest, APortInUseIsAnErrorThatNamesIt) {
  TestServer first = NewServer();
  const SteadyClock clock;
  ServerOptions options = TestOptions(folder_);
  options.grpc.port = first.server().grpc_address().port;
  const auto second = Server::Start(options, clock);
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()),
              AllOf(HasSubstr(ToString(options.grpc)), HasSubstr("--grpc")));
  EXPECT_TRUE(first.Classify(Fp32Request("first", RandomInputs(1, 1))).ok());
}

// Fails on the thread that asks for the `failing`-th time: the caller's, each worker's, that
// of the exact stage, each poller's and the loader's.
TEST_F(ServerTest, DoesNotServeIfAnyThreadThatDecidesFailsItsCheck) {
  const SteadyClock clock;
  const ServerOptions options = TestOptions(folder_);
  const std::size_t threads = 1 + options.workers + 1 + options.pollers + 1;
  for (std::size_t failing = 0; failing <= threads; ++failing) {
    std::atomic<std::size_t> checks = 0;
    const auto check = [&checks, failing] {
      return checks++ == failing ? absl::FailedPreconditionError("expected IEEE 754, got other")
                                 : absl::OkStatus();
    };
    const auto server = Server::Start(options, clock, check);
    const absl::Status status = server.ok() ? (*server)->WaitUntilServing() : server.status();
    EXPECT_EQ(server.ok(), failing >= threads - 1) << failing;
    EXPECT_EQ(status.ok(), failing == threads) << failing;
    if (failing < threads) {
      EXPECT_EQ(status.message(), "expected IEEE 754, got other");
    }
  }
}

TEST_F(ServerTest, RefusesMessagesLargerThanItsModelsCanNeed) {
  TestServer server = NewServer();
  v1::ClassifyRequest request = Fp32Request("first", RandomInputs(1, 1));
  request.mutable_images()->mutable_data()->resize(std::size_t{5} << 20);
  EXPECT_EQ(server.Classify(request).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ServerTest, UntilItsModelsAreLoadedItRefusesCallsAndIsNotReady) {
  FrozenModel boastful = SmallModel();
  std::get<DenseLayer>(boastful.network.layers[1]).claimed_operator_norm_bound *= 0.5;
  folder_.Add("boastful", "1", boastful);
  TestServer server = NewServer();
  EXPECT_THAT(std::string(server.loaded().message()), HasSubstr("boastful"));
  EXPECT_THAT(HttpGet(server.server().http_address().port, "/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_EQ(server.HealthOf(""), "NOT_SERVING");
  const grpc::Status status = server.Classify(Fp32Request("first", RandomInputs(1, 1)));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("loading"));
}

TEST_F(ServerTest, StopsWithAnOpenHealthWatchAndWithoutAnyCall) {
  TestServer server = NewServer();
  const std::unique_ptr<HealthWatch> watch = server.WatchHealth();
  EXPECT_EQ(watch->Next(), "SERVING");
  server.server().Stop();  // hangs if it waits for streams that never end
  EXPECT_EQ(watch->Next(), "NOT_SERVING");
  server.server().Stop();
}

TEST_F(ServerTest, AStopRequestWakesThoseWhoWait) {
  TestServer server = NewServer();
  std::thread waiter([&server] { server.server().WaitForStopRequest(); });
  server.server().RequestStop();
  waiter.join();
}

}  // namespace
}  // namespace lipserve
