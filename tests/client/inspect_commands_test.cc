// SPDX-License-Identifier: Apache-2.0
#include "client/inspect_commands.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/client/fake_classifier_server.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

class InspectCommandsTest : public ::testing::Test {
 protected:
  FakeClassifierServer server_;
  ClassifierClient client_{{.address = server_.address()}};
  std::ostringstream out_;
};

TEST_F(InspectCommandsTest, DescribePrintsTextOrJson) {
  ASSERT_TRUE(RunDescribe(client_, {}, /*json=*/false, {}, out_).ok());
  EXPECT_THAT(out_.str(), HasSubstr("mnist08 version 3"));
  out_.str("");
  ASSERT_TRUE(RunDescribe(client_, {}, /*json=*/true, {}, out_).ok());
  EXPECT_EQ(nlohmann::json::parse(out_.str())["model"], "mnist08");
}

TEST_F(InspectCommandsTest, DescribeOfAnUnknownModelFails) {
  EXPECT_EQ(RunDescribe(client_, {.name = "other"}, false, {}, out_).code(),
            absl::StatusCode::kNotFound);
}

TEST_F(InspectCommandsTest, ModelsPrintsTextOrJson) {
  ASSERT_TRUE(RunModels(client_, /*json=*/false, {}, out_).ok());
  EXPECT_THAT(out_.str(), HasSubstr("mnist08"));
  out_.str("");
  ASSERT_TRUE(RunModels(client_, /*json=*/true, {}, out_).ok());
  EXPECT_EQ(nlohmann::json::parse(out_.str())["model_version"], 3);
}

TEST_F(InspectCommandsTest, HealthSucceedsOnlyWhileServing) {
  EXPECT_TRUE(RunHealth(client_, "", /*json=*/false, out_).ok());
  EXPECT_THAT(out_.str(), HasSubstr(": SERVING"));
  server_.SetServing(false);
  const auto status = RunHealth(client_, "", /*json=*/true, out_);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected SERVING, got NOT_SERVING"));
  EXPECT_THAT(out_.str(), HasSubstr(R"("status":"NOT_SERVING")"));
}

}  // namespace
}  // namespace lipserve
