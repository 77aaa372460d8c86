// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/unknown_method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/raw_call.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kInference[] = "/inference.GRPCInferenceService/";

std::string Message(const std::string& path) {
  const absl::Status status = UnknownMethodError(path);
  EXPECT_TRUE(absl::IsUnimplemented(status));
  return std::string(status.message());
}

TEST(UnknownMethodTest, SharedMemoryAndTracesSayWhatToDoInstead) {
  for (const char* kind : {"System", "Cuda"}) {
    for (const char* action : {"Status", "Register", "Unregister"}) {
      const std::string method = std::string(kind) + "SharedMemory" + action;
      EXPECT_THAT(
          Message(kInference + method),
          AllOf(HasSubstr(method), HasSubstr("no shared memory"), HasSubstr("raw_input_contents")));
    }
  }
  EXPECT_THAT(Message(std::string(kInference) + "TraceSetting"),
              AllOf(HasSubstr("no traces"), HasSubstr("LogSettings"), HasSubstr("/metrics")));
}

TEST(UnknownMethodTest, AnotherMethodOfAKnownServiceGetsTheMethodsThatThereAre) {
  EXPECT_THAT(Message(std::string(kInference) + "Modelinfer"),
              AllOf(HasSubstr("ModelStreamInfer"), EndsWith("; did you mean ModelInfer?")));
  EXPECT_THAT(Message("/lipserve.v1.ClassifierService/Predict"),
              AllOf(HasSubstr("(Classify, ClassifyStream, DescribeModel, ListModels)"),
                    Not(HasSubstr("did you mean"))));
  EXPECT_THAT(Message("/grpc.health.v1.Health/List"), HasSubstr("(Check, Watch)"));
}

TEST(UnknownMethodTest, AnotherServiceGetsTheServicesThatThereAre) {
  for (const std::string path : {"/tensorflow.serving.PredictionService/Predict", "/", "//",
                                 "/inference.ModelConfig/ModelInfer", "ModelInfer", ""}) {
    EXPECT_THAT(Message(path),
                AllOf(HasSubstr("lipserve.v1.ClassifierService, inference.GRPCInferenceService"),
                      HasSubstr("got '" + path + "'")));
  }
  EXPECT_THAT(Message("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
              EndsWith("; did you mean grpc.reflection.v1alpha.ServerReflection?"));
}

TEST(UnknownMethodTest, ALongPathIsCut) {
  EXPECT_LT(Message("/" + std::string(10000, 'x') + "/\n").size(), 500U);
}

TEST(UnknownMethodTest, TheServerAnswersUnaryCallsAndStreamsAndGoesOn) {
  TemporaryModels folder;
  folder.Add("first", "1", SmallModel(1));
  TestServer server{TestOptions(folder)};
  for (int i = 0; i < 20; ++i) {  // more than are posted at once
    const grpc::Status status =
        SendBytes(server, std::string(kInference) + "TraceSetting", std::string(1000, 'x'));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
    EXPECT_THAT(status.error_message(), HasSubstr("no traces"));
  }
  EXPECT_EQ(RawStream(server.channel(), "/some.Service/Stream", "x").Read(), "");
  EXPECT_TRUE(server.Classify(Fp32Request("first", RandomInputs(7, 2))).ok());
}

}  // namespace
}  // namespace lipserve
