// SPDX-License-Identifier: Apache-2.0
// The Open Inference Protocol of a whole server in this process, asked over loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/server/infer_request.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// One call of a method of the service.
template <typename Method, typename Request, typename Response>
grpc::Status Call(TestServer& server, Method method, const Request& request, Response& response) {
  grpc::ClientContext context;
  return (server.inference().*method)(&context, request, &response);
}

class InferenceServiceTest : public ::testing::Test {
 protected:
  InferenceServiceTest() {
    folder_.Add("first", "1", SmallModel(1));
    folder_.Add("first", "2", SmallModel(2));
    folder_.Add("second", "1", SmallModel(3));
  }

  static inference::ModelInferResponse Infer(TestServer& server,
                                             const inference::ModelInferRequest& request) {
    inference::ModelInferResponse response;
    const grpc::Status status = Call(server, &InferenceStub::ModelInfer, request, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  static std::string Pixels(std::size_t images) {
    std::string pixels;
    for (std::size_t i = 0; i < images * kSmallInputSize; ++i) {
      pixels.push_back(static_cast<char>(i * 37));
    }
    return pixels;
  }

  TemporaryModels folder_;
};

// Every number of `got` against the same of lipserve.v1, bit for bit.
void ExpectSameAnswers(const inference::ModelInferResponse& got,
                       const v1::ClassifyResponse& expected) {
  std::vector<float> scores;
  std::vector<std::int32_t> classes;
  std::vector<double> radii;
  std::vector<double> margins;
  std::vector<char> certified;
  for (const v1::Classification& answer : expected.classifications()) {
    scores.insert(scores.end(), answer.scores().begin(), answer.scores().end());
    classes.push_back(answer.class_index());
    radii.push_back(answer.certified_radius_l2());
    margins.push_back(answer.margin());
    certified.push_back(answer.certified_at_epsilon() ? 1 : 0);
  }
  EXPECT_EQ(OutputValues<float>(got, "scores"), scores);
  EXPECT_EQ(OutputValues<std::int32_t>(got, "class"), classes);
  EXPECT_EQ(OutputValues<double>(got, "radius"), radii);
  EXPECT_EQ(OutputValues<double>(got, "margin"), margins);
  EXPECT_EQ(OutputValues<char>(got, "certified"), certified);
}

TEST_F(InferenceServiceTest, AnswersFloatImagesWithTheNumbersOfClassify) {
  TestServer server{TestOptions(folder_)};
  const std::vector<float> inputs = RandomInputs(11, 20);  // more than a batch
  v1::ClassifyRequest classify = Fp32Request("first", inputs);
  inference::ModelInferRequest infer = RawInferRequest("first", inputs);
  for (const bool fast : {false, true}) {
    classify.set_epsilon(0.05);
    (*infer.mutable_parameters())["epsilon"].set_double_param(0.05);
    if (fast) classify.set_radius_precision(v1::RADIUS_PRECISION_FAST);
    (*infer.mutable_parameters())["radius_precision"].set_string_param(fast ? "FAST" : "TIGHT");
    v1::ClassifyResponse expected;
    ASSERT_TRUE(server.Classify(classify, &expected).ok());
    const inference::ModelInferResponse got = Infer(server, infer);
    ExpectSameAnswers(got, expected);
    EXPECT_EQ(got.model_name(), "first");
    EXPECT_EQ(got.model_version(), "2");  // the newest
    EXPECT_EQ(got.parameters().at("radius_unit").string_param(), "INPUT");
    EXPECT_EQ(got.parameters().at("radius_precision").string_param(), fast ? "FAST" : "TIGHT");
    EXPECT_EQ(got.parameters().at("epsilon").double_param(), 0.05);
  }
}

TEST_F(InferenceServiceTest, AnswersPixelsWithTheNumbersOfClassify) {
  TestServer server{TestOptions(folder_)};
  v1::ClassifyRequest classify = Fp32Request("second", {});
  classify.mutable_images()->set_element_type(v1::ELEMENT_TYPE_UINT8);
  classify.mutable_images()->set_data(Pixels(3));
  classify.mutable_images()->set_shape(0, 3);
  classify.set_epsilon(2.0);
  inference::ModelInferRequest infer = RawInferRequest("second", Pixels(3));
  (*infer.mutable_parameters())["epsilon"].set_string_param("2");
  v1::ClassifyResponse expected;
  ASSERT_TRUE(server.Classify(classify, &expected).ok());
  const inference::ModelInferResponse got = Infer(server, infer);
  ExpectSameAnswers(got, expected);
  EXPECT_EQ(got.parameters().at("radius_unit").string_param(), "PIXEL");
}

TEST_F(InferenceServiceTest, TypedAndRawContentsMeanTheSame) {
  TestServer server{TestOptions(folder_)};
  const std::vector<float> inputs = RandomInputs(5, 3);
  inference::ModelInferRequest typed = EmptyInferRequest("second", "FP32", 3);
  typed.mutable_inputs(0)->mutable_contents()->mutable_fp32_contents()->Assign(inputs.begin(),
                                                                               inputs.end());
  EXPECT_EQ(Infer(server, typed).raw_output_contents(0),
            Infer(server, RawInferRequest("second", inputs)).raw_output_contents(0));

  const std::string pixels = Pixels(2);
  typed = EmptyInferRequest("second", "UINT8", 2);
  for (const char pixel : pixels) {
    typed.mutable_inputs(0)->mutable_contents()->add_uint_contents(
        static_cast<unsigned char>(pixel));
  }
  EXPECT_EQ(Infer(server, typed).SerializeAsString().size(),
            Infer(server, RawInferRequest("second", pixels)).SerializeAsString().size());
  for (const char* output : {"scores", "class", "radius", "margin", "certified"}) {
    EXPECT_EQ(OutputValues<char>(Infer(server, typed), output),
              OutputValues<char>(Infer(server, RawInferRequest("second", pixels)), output));
  }
}

// The parameters of the defaults of KServe's client, MLServer's codecs and Triton's clients.
TEST_F(InferenceServiceTest, WhatClientsAddOfTheirPackingChangesNoAnswer) {
  TestServer server{TestOptions(folder_)};
  inference::ModelInferRequest request = RawInferRequest("second", RandomInputs(5, 2));
  for (const char* name : {"scores", "class", "radius"}) request.add_outputs()->set_name(name);
  const inference::ModelInferResponse plain = Infer(server, request);

  auto& input = *request.mutable_inputs(0)->mutable_parameters();
  input["binary_data_size"].set_int64_param(128);
  input["content_type"].set_string_param("np");
  input["an unknown one"].set_string_param("of any kind");
  input["without a value"].Clear();
  auto& output = *request.mutable_outputs(0)->mutable_parameters();
  output["binary_data"].set_bool_param(true);
  output["content_type"].set_string_param("np");
  auto& parameters = *request.mutable_parameters();
  parameters["binary_data_output"].set_bool_param(true);
  parameters["content_type"].set_string_param("pd");
  parameters["headers"].set_string_param("{}");
  parameters["sequence_id"].set_int64_param(0);
  parameters["sequence_start"].set_bool_param(false);
  parameters["sequence_end"].Clear();
  const inference::ModelInferResponse got = Infer(server, request);
  EXPECT_EQ(got.outputs(0).datatype(), "FP32");
  EXPECT_TRUE(std::equal(got.raw_output_contents().begin(), got.raw_output_contents().end(),
                         plain.raw_output_contents().begin(), plain.raw_output_contents().end()));

  output["classification"].set_int64_param(1);  // what has a meaning keeps it beside them
  EXPECT_EQ(Infer(server, request).outputs(0).datatype(), "BYTES");
}

// Numbers arrive as whatever type the client's language has.
TEST_F(InferenceServiceTest, APriorityOrTimeoutMayBeAnyWholeNumber) {
  TestServer server{TestOptions(folder_)};
  using Parameter = inference::InferParameter;
  void (*const ways[])(Parameter&) = {
      [](Parameter& p) { p.set_int64_param(2); }, [](Parameter& p) { p.set_uint64_param(2); },
      [](Parameter& p) { p.set_double_param(2.0); }, [](Parameter& p) { p.set_string_param("2"); }};
  for (const auto set : ways) {
    inference::ModelInferRequest request = RawInferRequest("second", RandomInputs(5, 1));
    set((*request.mutable_parameters())["priority"]);
    Infer(server, request);
  }
}

TEST_F(InferenceServiceTest, AnswersTheRequestedOutputsInTheirOrder) {
  TestServer server{TestOptions(folder_)};
  inference::ModelInferRequest request = RawInferRequest("second", RandomInputs(5, 2));
  for (const char* name : {"radius", "class"}) request.add_outputs()->set_name(name);
  request.set_id("seven");
  const inference::ModelInferResponse response = Infer(server, request);
  EXPECT_EQ(response.id(), "seven");
  ASSERT_EQ(response.outputs_size(), 2);
  ASSERT_EQ(response.raw_output_contents_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "radius");
  EXPECT_EQ(response.outputs(0).datatype(), "FP64");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 1));
  EXPECT_EQ(response.outputs(1).name(), "class");
  EXPECT_EQ(response.outputs(1).datatype(), "INT32");
  EXPECT_EQ(response.raw_output_contents(1).size(), 2 * sizeof(std::int32_t));
}

TEST_F(InferenceServiceTest, ClassificationListsTheBestClassesBestFirst) {
  TestServer server{TestOptions(folder_)};
  inference::ModelInferRequest request = RawInferRequest("second", RandomInputs(5, 1));
  const std::vector<float> scores = OutputValues<float>(Infer(server, request), "scores");
  const auto best =
      static_cast<std::size_t>(OutputValues<std::int32_t>(Infer(server, request), "class").at(0));
  auto& output = *request.add_outputs();
  output.set_name("scores");
  (*output.mutable_parameters())["classification"].set_int64_param(2);
  inference::ModelInferResponse response = Infer(server, request);
  EXPECT_EQ(response.outputs(0).datatype(), "BYTES");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(1, 2));
  std::vector<std::string> texts = OutputTexts(response, "scores");
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(std::stof(texts[0]), scores[best]);
  EXPECT_THAT(texts[0], HasSubstr(":" + std::to_string(best) + ":class " + std::to_string(best)));
  EXPECT_GE(std::stof(texts[0]), std::stof(texts[1]));

  (*output.mutable_parameters())["classification"].set_int64_param(100);  // more than there are
  response = Infer(server, request);
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(1, 3));
  EXPECT_EQ(OutputTexts(response, "scores").size(), 3U);
}

TEST_F(InferenceServiceTest, TakesALabelForAVersion) {
  folder_.Add("labelled", "1", SmallModel(1));
  folder_.Add("labelled", "2", SmallModel(2));
  std::ofstream(folder_.path() + "/labelled/config.textproto")
      << "labels { name: 'stable' version: 1 } default_label: 'stable'";
  TestServer server{TestOptions(folder_)};
  inference::ModelInferRequest request = RawInferRequest("labelled", RandomInputs(5, 1));
  EXPECT_EQ(Infer(server, request).model_version(), "1");
  request.set_model_version("2");
  EXPECT_EQ(Infer(server, request).model_version(), "2");
  request.set_model_version("stable");
  EXPECT_EQ(Infer(server, request).model_version(), "1");
}

TEST_F(InferenceServiceTest, SaysWhatIsServedAndReady) {
  TestServer server{TestOptions(folder_)};
  inference::ServerLiveResponse live;
  EXPECT_TRUE(Call(server, &InferenceStub::ServerLive, inference::ServerLiveRequest(), live).ok());
  EXPECT_TRUE(live.live());
  inference::ServerReadyResponse ready;
  EXPECT_TRUE(
      Call(server, &InferenceStub::ServerReady, inference::ServerReadyRequest(), ready).ok());
  EXPECT_TRUE(ready.ready());

  const auto model_ready = [&server](const std::string& name, const std::string& version) {
    inference::ModelReadyRequest request;
    request.set_name(name);
    request.set_version(version);
    inference::ModelReadyResponse response;
    EXPECT_TRUE(Call(server, &InferenceStub::ModelReady, request, response).ok());
    return response.ready();
  };
  EXPECT_TRUE(model_ready("first", ""));
  EXPECT_TRUE(model_ready("first", "2"));
  EXPECT_FALSE(model_ready("first", "3"));
  EXPECT_FALSE(model_ready("first", "stable"));
  EXPECT_FALSE(model_ready("third", ""));

  server.server().StartDraining();  // still answers, but nobody new should come
  EXPECT_TRUE(
      Call(server, &InferenceStub::ServerReady, inference::ServerReadyRequest(), ready).ok());
  EXPECT_FALSE(ready.ready());
  EXPECT_FALSE(model_ready("first", ""));
}

TEST_F(InferenceServiceTest, DescribesTensorsAsInferenceAnswersThem) {
  TestServer server{TestOptions(folder_)};
  inference::ModelMetadataRequest request;
  request.set_name("first");
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(Call(server, &InferenceStub::ModelMetadata, request, metadata).ok());
  EXPECT_THAT(metadata.versions(), ElementsAre("1", "2"));
  ASSERT_EQ(metadata.inputs_size(), 1);
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1, 1, 4, 4));
  EXPECT_EQ(metadata.properties().at("class_labels"), R"(["class 0","class 1","class 2"])");

  inference::ModelConfigRequest config_request;
  config_request.set_name("first");
  inference::ModelConfigResponse config;
  ASSERT_TRUE(Call(server, &InferenceStub::ModelConfig, config_request, config).ok());
  EXPECT_EQ(config.config().max_batch_size(), 32);
  EXPECT_THAT(config.config().dynamic_batching().preferred_batch_size(),
              ElementsAre(std::stoi(metadata.properties().at("batch_limit"))));
  EXPECT_THAT(metadata.properties().at("batch_times"), HasSubstr("4: "));
  EXPECT_EQ(config.config().dynamic_batching().priority_levels(), 5U);
  EXPECT_EQ(config.config().dynamic_batching().default_priority_level(), 3U);

  const inference::ModelInferResponse response =
      Infer(server, RawInferRequest("first", RandomInputs(5, 2)));
  ASSERT_EQ(metadata.outputs_size(), response.outputs_size());
  ASSERT_EQ(config.config().output_size(), response.outputs_size());
  for (int i = 0; i < response.outputs_size(); ++i) {
    const auto& output = response.outputs(i);
    EXPECT_EQ(metadata.outputs(i).name(), output.name());
    EXPECT_EQ(metadata.outputs(i).datatype(), output.datatype());
    EXPECT_EQ(metadata.outputs(i).shape(1), output.shape(1));
    EXPECT_EQ(config.config().output(i).name(), output.name());
    EXPECT_EQ(inference::DataType_Name(config.config().output(i).data_type()),
              "TYPE_" + output.datatype());
    EXPECT_THAT(config.config().output(i).dims(), ElementsAre(output.shape(1)));
  }
}

TEST_F(InferenceServiceTest, StatisticsCountRequestsOfBothProtocols) {
  TestServer server{TestOptions(folder_)};
  const std::vector<float> inputs = RandomInputs(5, 3);
  ASSERT_TRUE(server.Classify(Fp32Request("second", inputs)).ok());
  Infer(server, RawInferRequest("second", inputs));
  inference::ModelInferResponse ignored;
  inference::ModelInferRequest bad = RawInferRequest("second", inputs);
  bad.mutable_inputs(0)->set_datatype("FP64");
  EXPECT_FALSE(Call(server, &InferenceStub::ModelInfer, bad, ignored).ok());

  inference::ModelStatisticsRequest request;
  request.set_name("second");
  inference::ModelStatisticsResponse response;
  ASSERT_TRUE(Call(server, &InferenceStub::ModelStatistics, request, response).ok());
  ASSERT_EQ(response.model_stats_size(), 1);
  const inference::ModelStatistics& statistics = response.model_stats(0);
  EXPECT_EQ(statistics.version(), "1");
  EXPECT_EQ(statistics.inference_count(), 6U);
  EXPECT_EQ(statistics.execution_count(), 2U);
  EXPECT_GT(statistics.last_inference(), 0U);
  EXPECT_EQ(statistics.inference_stats().success().count(), 2U);
  EXPECT_GT(statistics.inference_stats().success().ns(), 0U);
  EXPECT_EQ(statistics.inference_stats().fail().count(), 1U);
  EXPECT_EQ(statistics.inference_stats().queue().count(), 2U);
  EXPECT_EQ(statistics.inference_stats().compute_infer().count(), 2U);
  ASSERT_EQ(statistics.batch_stats_size(), 1);
  EXPECT_EQ(statistics.batch_stats(0).batch_size(), 3U);
  EXPECT_EQ(statistics.batch_stats(0).compute_infer().count(), 2U);

  ASSERT_TRUE(
      Call(server, &InferenceStub::ModelStatistics, inference::ModelStatisticsRequest(), response)
          .ok());
  EXPECT_EQ(response.model_stats_size(), 3);
}

TEST_F(InferenceServiceTest, LoadsAndUnloadsInExplicitModeOnly) {
  for (const bool is_explicit : {false, true}) {
    ServerOptions options = TestOptions(folder_);
    options.repository_mode = is_explicit ? RepositoryMode::kExplicit : RepositoryMode::kPoll;
    TestServer server(options);
    inference::RepositoryModelLoadRequest load;
    load.set_model_name("second");
    inference::RepositoryModelLoadResponse loaded;
    const grpc::Status status = Call(server, &InferenceStub::RepositoryModelLoad, load, loaded);
    if (!is_explicit) {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
      EXPECT_THAT(status.error_message(), HasSubstr("--repository-mode explicit"));
      continue;
    }
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(Infer(server, RawInferRequest("second", RandomInputs(5, 1))).model_version(), "1");

    load.set_model_name("third");
    EXPECT_EQ(Call(server, &InferenceStub::RepositoryModelLoad, load, loaded).error_code(),
              grpc::StatusCode::NOT_FOUND);

    inference::RepositoryModelUnloadRequest unload;
    unload.set_model_name("second");
    (*unload.mutable_parameters())["unload_dependents"].set_bool_param(true);  // as clients send
    inference::RepositoryModelUnloadResponse unloaded;
    ASSERT_TRUE(Call(server, &InferenceStub::RepositoryModelUnload, unload, unloaded).ok());
    inference::ModelInferResponse response;
    EXPECT_EQ(Call(server, &InferenceStub::ModelInfer,
                   RawInferRequest("second", RandomInputs(5, 1)), response)
                  .error_code(),
              grpc::StatusCode::NOT_FOUND);
  }
}

TEST_F(InferenceServiceTest, TheIndexListsWhatIsNotServedAndWhy) {
  std::ofstream(folder_.Add("second", "2", SmallModel(1))) << "not a model";
  ServerOptions options = TestOptions(folder_);
  options.skip_bad_models = true;
  TestServer server(options);
  const auto index = [&server](bool only_ready) {
    inference::RepositoryIndexRequest request;
    request.set_ready(only_ready);
    inference::RepositoryIndexResponse response;
    EXPECT_TRUE(Call(server, &InferenceStub::RepositoryIndex, request, response).ok());
    return response;
  };
  EXPECT_EQ(index(true).models_size(), 3);
  const inference::RepositoryIndexResponse all = index(false);
  ASSERT_EQ(all.models_size(), 4);
  EXPECT_EQ(all.models(3).name(), "second");
  EXPECT_EQ(all.models(3).version(), "2");
  EXPECT_EQ(all.models(3).state(), "UNAVAILABLE");
  EXPECT_THAT(all.models(3).reason(), HasSubstr("model.lip"));
}

TEST_F(InferenceServiceTest, RefusesWhileLoadingAndAfterDraining) {
  ServerOptions options = TestOptions(folder_);
  TestServer server(options);
  const grpc::Status status = [&server] {
    server.server().Stop();
    inference::ModelInferResponse response;
    return Call(server, &InferenceStub::ModelInfer, RawInferRequest("second", RandomInputs(5, 1)),
                response);
  }();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(InferenceServiceTest, ATimeoutThatPassesInTheQueueIsToldAndNothingIsComputed) {
  ServerOptions options = TestOptions(folder_);
  options.workers = 0;  // requests wait until the server stops
  options.inline_budget = std::chrono::microseconds(0);
  auto server = std::make_unique<TestServer>(options);
  inference::ModelInferRequest request = RawInferRequest("second", RandomInputs(5, 1));
  (*request.mutable_parameters())["timeout"].set_int64_param(1);
  grpc::Status status;
  std::thread client([&] {
    inference::ModelInferResponse response;
    status = Call(*server, &InferenceStub::ModelInfer, request, response);
  });
  server->WaitForMetric("lipserve_queue_depth 1");
  server->server().Stop();
  client.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("nothing was computed"));
}

// Both wait without a worker, and the one that computes at the end of the server takes them in
// order.
TEST_F(InferenceServiceTest, ARequestOfHigherPriorityOvertakesOneOfTheOtherProtocol) {
  std::vector<std::string> order;
  ServerOptions options = TestOptions(folder_);
  options.workers = 0;
  options.inline_budget = std::chrono::microseconds(0);
  options.max_batch = 1;
  options.log_requests = 1;
  options.log_request = [&order](const AnsweredRequest& request) {
    order.emplace_back(request.request_id);
  };
  auto server = std::make_unique<TestServer>(options);
  std::thread first([&] {
    v1::ClassifyRequest request = Fp32Request("second", RandomInputs(5, 1));
    request.set_request_id("first");
    EXPECT_TRUE(server->Classify(request).ok());
  });
  server->WaitForMetric("lipserve_queue_depth 1");
  std::thread urgent([&] {
    inference::ModelInferRequest request = RawInferRequest("second", RandomInputs(5, 1));
    request.set_id("urgent");
    (*request.mutable_parameters())["priority"].set_uint64_param(1);
    inference::ModelInferResponse response;
    EXPECT_TRUE(Call(*server, &InferenceStub::ModelInfer, request, response).ok());
  });
  server->WaitForMetric("lipserve_queue_depth 2");
  server->server().Stop();
  first.join();
  urgent.join();
  EXPECT_THAT(order, ElementsAre("urgent", "first"));
}

}  // namespace
}  // namespace lipserve
