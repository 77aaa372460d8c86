// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/inference_log_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using inference::LogSettingsRequest;
using inference::LogSettingsResponse;
using ::testing::HasSubstr;
using ::testing::Not;

LogSettingsRequest Bool(const std::string& name, bool value) {
  LogSettingsRequest request;
  (*request.mutable_settings())[name].set_bool_param(value);
  return request;
}

LogSettingsRequest Number(const std::string& name, std::uint32_t value) {
  LogSettingsRequest request;
  (*request.mutable_settings())[name].set_uint32_param(value);
  return request;
}

TEST(InferenceLogSettingsTest, EachSettingChangesItsPartAndNoOther) {
  EXPECT_EQ(*ApplyLogSettings(Bool("log_info", false), {}), (LogSettings{.info = false}));
  EXPECT_EQ(*ApplyLogSettings(Bool("log_warning", false), {}), (LogSettings{.warning = false}));
  EXPECT_EQ(*ApplyLogSettings(Bool("log_error", true), {}), (LogSettings{.errors = true}));
  EXPECT_EQ(*ApplyLogSettings(Number("log_requests", 7), {}), (LogSettings{.requests = 7}));
  EXPECT_EQ(*ApplyLogSettings(Number("log_verbose_level", 3), {}), (LogSettings{.requests = 1}));
  EXPECT_EQ(*ApplyLogSettings(Number("log_verbose_level", 0), {.requests = 7}), LogSettings{});
  EXPECT_EQ(*ApplyLogSettings({}, {.info = false, .requests = 7}),
            (LogSettings{.info = false, .requests = 7}));
}

TEST(InferenceLogSettingsTest, WhatIsWrongIsRefusedByName) {
  const auto refusal = [](const LogSettingsRequest& request) {
    const auto changed = ApplyLogSettings(request, {});
    EXPECT_EQ(changed.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(changed.status().message());
  };
  EXPECT_THAT(refusal(Number("log_info", 1)), HasSubstr("settings['log_info']: expected a bool"));
  EXPECT_THAT(refusal(Bool("log_requests", true)), HasSubstr("expected a uint32"));
  EXPECT_THAT(refusal(Bool("log_file", true)), HasSubstr("standard error"));
  EXPECT_THAT(refusal(Bool("log_inof", true)), HasSubstr("did you mean log_info?"));
  LogSettingsRequest both = Number("log_requests", 2);
  (*both.mutable_settings())["log_verbose_level"].set_uint32_param(1);
  EXPECT_THAT(refusal(both), HasSubstr("got both"));
}

class LogSettingsCallTest : public ::testing::Test {
 protected:
  LogSettingsCallTest() { folder_.Add("small", "1", SmallModel()); }

  static grpc::Status Call(TestServer& server, const LogSettingsRequest& request,
                           LogSettingsResponse& response) {
    const auto stub = inference::GRPCInferenceService::NewStub(server.channel());
    grpc::ClientContext context;
    return stub->LogSettings(&context, request, &response);
  }

  TemporaryModels folder_;
};

TEST_F(LogSettingsCallTest, ACallStartsAndStopsTheLogOfRequests) {
  std::atomic<int> told{0};
  ServerOptions options = TestOptions(folder_);
  options.log_request = [&told](const AnsweredRequest& /*request*/) { ++told; };
  TestServer server(options);
  const v1::ClassifyRequest request = Fp32Request("small", RandomInputs(1, 1));
  ASSERT_TRUE(server.Classify(request).ok());
  EXPECT_EQ(told, 0);
  LogSettingsResponse response;
  ASSERT_TRUE(Call(server, Number("log_verbose_level", 1), response).ok());
  EXPECT_EQ(response.settings().at("log_requests").uint32_param(), 1U);
  EXPECT_TRUE(response.settings().at("log_info").bool_param());
  const int before = told;  // the call itself may be told
  ASSERT_TRUE(server.Classify(request).ok());
  EXPECT_EQ(told, before + 1);
  ASSERT_TRUE(Call(server, Number("log_verbose_level", 0), response).ok());
  const int after = told;
  ASSERT_TRUE(server.Classify(request).ok());
  EXPECT_EQ(told, after);
}

TEST_F(LogSettingsCallTest, OnANetworkNobodyChangesItWithoutAPolicyThatAllowsIt) {
  ServerOptions options = TestOptions(folder_);
  options.grpc.host = "[::ffff:127.0.0.1]";  // loopback, though not by its name
  TestServer server(options);
  LogSettingsResponse response;
  const grpc::Status status = Call(server, Number("log_verbose_level", 1), response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("--access-policy"));
  EXPECT_TRUE(Call(server, {}, response).ok());
  EXPECT_EQ(response.settings().at("log_requests").uint32_param(), 0U);
}

}  // namespace
}  // namespace lipserve
