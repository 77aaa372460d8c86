// SPDX-License-Identifier: Apache-2.0
#include "server/operations/grpc_log.h"

#include <gmock/gmock.h>
#include <grpc/support/log.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "tests/server/fake_task.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class GrpcLogTest : public ::testing::Test {
 protected:
  GrpcLogTest() { gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR); }  // as when gRPC starts

  FakeClock clock_;
  std::vector<std::string> told_;
  const std::function<void(const std::string&)> write_ = [this](const std::string& line) {
    told_.push_back(line);
  };
};

TEST_F(GrpcLogTest, WhatGrpcWritesIsAWarningOfOursWithItsPlace) {
  const GrpcLog log(write_, clock_);
  gpr_log(GPR_ERROR, "Handshake failed with %s", "a\nb");
  ASSERT_THAT(told_, SizeIs(1));
  EXPECT_THAT(told_[0], AllOf(StartsWith("warning: gRPC: grpc_log_test.cc:"),
                              EndsWith("Handshake failed with a\\nb")));
}

TEST_F(GrpcLogTest, AFloodOfLinesIsCutToTenASecondAndCounted) {
  const GrpcLog log(write_, clock_);
  for (int i = 0; i < 1000; ++i) gpr_log(GPR_ERROR, "Handshake failed");
  EXPECT_THAT(told_, SizeIs(10));
  clock_.Advance(std::chrono::seconds(1));
  gpr_log(GPR_ERROR, "Handshake failed");
  ASSERT_THAT(told_, SizeIs(11));
  EXPECT_THAT(told_[10], HasSubstr("(990 lines before it were not told)"));
}

TEST_F(GrpcLogTest, AfterItsEndLinesGoWhereTheyWent) {
  { const GrpcLog log(write_, clock_); }
  gpr_log(GPR_ERROR, "nobody's");
  EXPECT_THAT(told_, IsEmpty());
}

}  // namespace
}  // namespace lipserve
