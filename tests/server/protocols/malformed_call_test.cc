// SPDX-License-Identifier: Apache-2.0
// Wrong requests of the small methods, and bytes that are no request at all, over loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/server/infer_request.h"
#include "tests/server/raw_call.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

class MalformedCallTest : public ::testing::Test {
 protected:
  static const TemporaryModels& Fill(const TemporaryModels& folder) {
    folder.Add("first", "1", SmallModel(1));
    return folder;
  }

  TemporaryModels folder_;
  TestServer server_{TestOptions(Fill(folder_))};
};

TEST_F(MalformedCallTest, OtherMethodsRefuseWhatTheyCannotMean) {
  const auto ask = [this](auto method, const auto& request, auto response) {
    grpc::ClientContext context;
    const grpc::Status status = (server_.inference().*method)(&context, request, &response);
    return absl::StrCat(status.error_code(), " ", status.error_message());
  };
  inference::ModelMetadataRequest metadata;
  metadata.set_name("third");
  EXPECT_THAT(ask(&InferenceStub::ModelMetadata, metadata, inference::ModelMetadataResponse()),
              HasSubstr("5 no model named 'third'"));
  inference::ModelConfigRequest config;
  config.set_name("first");
  config.set_version("0");
  EXPECT_THAT(ask(&InferenceStub::ModelConfig, config, inference::ModelConfigResponse()),
              HasSubstr("3 version: expected a positive number"));
  inference::ModelReadyRequest ready;
  ready.set_name("first");
  ready.set_version("-1");
  EXPECT_THAT(ask(&InferenceStub::ModelReady, ready, inference::ModelReadyResponse()),
              HasSubstr("3 version: expected a positive number"));
  inference::ModelStatisticsRequest statistics;
  statistics.set_version("1");
  EXPECT_EQ(ask(&InferenceStub::ModelStatistics, statistics, inference::ModelStatisticsResponse()),
            "3 version: expected none without a name, got '1'");
  statistics.set_name("third");
  EXPECT_THAT(
      ask(&InferenceStub::ModelStatistics, statistics, inference::ModelStatisticsResponse()),
      HasSubstr("5 no model named 'third'"));
  inference::RepositoryIndexRequest index;
  index.set_repository_name("other");
  EXPECT_THAT(ask(&InferenceStub::RepositoryIndex, index, inference::RepositoryIndexResponse()),
              HasSubstr("12 repository_name: expected none"));
  inference::RepositoryModelLoadRequest load;
  EXPECT_THAT(
      ask(&InferenceStub::RepositoryModelLoad, load, inference::RepositoryModelLoadResponse()),
      HasSubstr("3 model_name: expected the name of a model, got none"));
  load.set_model_name("first");
  (*load.mutable_parameters())["config"].set_string_param("{}");
  EXPECT_THAT(
      ask(&InferenceStub::RepositoryModelLoad, load, inference::RepositoryModelLoadResponse()),
      HasSubstr("12 parameters['config']: expected none"));
  inference::RepositoryModelUnloadRequest unload;
  unload.set_model_name("first");
  (*unload.mutable_parameters())["force"].set_bool_param(true);
  EXPECT_EQ(ask(&InferenceStub::RepositoryModelUnload, unload,
                inference::RepositoryModelUnloadResponse()),
            "3 parameters['force']: expected unload_dependents or none");
}

TEST_F(MalformedCallTest, BytesThatAreNoRequestEndTheirCallOnly) {
  const std::string good = RawInferRequest("first", RandomInputs(7, 2)).SerializeAsString();
  for (const std::string method :
       {"/inference.GRPCInferenceService/ModelInfer", "/lipserve.v1.ClassifierService/Classify"}) {
    for (const std::string& bytes : {std::string("\xff\xff\xff\xff"), std::string("\x0a\x7f"),
                                     std::string("\x3a\xff\xff\xff\xff\x0f"), std::string(1, '\0'),
                                     good.substr(0, good.size() - 1), std::string(10000, '\x0b')}) {
      const grpc::Status status = SendBytes(server_, method, bytes);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL) << status.error_message();
    }
    EXPECT_EQ(SendBytes(server_, method, std::string(5 << 20, 'x')).error_code(),
              grpc::StatusCode::RESOURCE_EXHAUSTED);  // larger than any request can need to be
    EXPECT_EQ(SendBytes(server_, method + "s", "").error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }
  EXPECT_TRUE(server_.Classify(Fp32Request("first", RandomInputs(7, 2))).ok());
}

}  // namespace
}  // namespace lipserve
