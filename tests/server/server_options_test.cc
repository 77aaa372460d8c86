// SPDX-License-Identifier: Apache-2.0
#include "server/server_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ServerOptions Good() {
  ServerOptions options;
  options.models_folder = "models";
  return options;
}

TEST(ServerOptionsTest, TheDefaultsAreValid) { EXPECT_TRUE(CheckServerOptions(Good()).ok()); }

TEST(ServerOptionsTest, RefusesACallThatCouldNeverBeQueued) {
  ServerOptions options = Good();
  options.queue_capacity = 10;
  options.max_images_per_call = 11;
  const absl::Status status = CheckServerOptions(options);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("--max-images-per-call"), HasSubstr("got 11")));
}

TEST(ServerOptionsTest, TakesIpv6ForGrpcOnly) {
  ServerOptions options = Good();
  options.grpc.host = "[::1]";
  EXPECT_TRUE(CheckServerOptions(options).ok());
  options.http.host = "[::1]";
  EXPECT_THAT(std::string(CheckServerOptions(options).message()),
              AllOf(HasSubstr("--http"), HasSubstr("no IPv6")));
}

TEST(ServerOptionsTest, RefusesZeroes) {
  ServerOptions options = Good();
  options.max_batch = 0;
  EXPECT_THAT(std::string(CheckServerOptions(options).message()), HasSubstr("--max-batch"));
  options = Good();
  options.queue_capacity = 0;
  EXPECT_THAT(std::string(CheckServerOptions(options).message()), HasSubstr("--queue-capacity"));
  options = Good();
  options.models_folder.clear();
  EXPECT_THAT(std::string(CheckServerOptions(options).message()), HasSubstr("--models"));
}

TEST(ServerOptionsTest, TheLargestRequestFollowsFromTheLargestModel) {
  ServerOptions options = Good();
  options.max_images_per_call = 100;
  EXPECT_EQ(MaxRequestBytes(options, 784), 4 << 20);
  EXPECT_EQ(MaxRequestBytes(options, 150528), 100 * 150528 * 4 + (64 << 10));
  EXPECT_EQ(MaxRequestBytes(options, std::size_t{1} << 40), std::numeric_limits<int>::max());
}

TEST(ServerOptionsTest, TheLargestRequestMayBeChosenAndBoundsTheModels) {
  ServerOptions options = Good();
  options.max_request_bytes = 2 << 20;
  EXPECT_EQ(MaxRequestBytes(options, 150528), 2 << 20);
  EXPECT_EQ(MaxInputSize(2 << 20), ((2U << 20) - (64U << 10)) / 4);
  EXPECT_EQ(MaxInputSize(100), 0U);
}

}  // namespace
}  // namespace lipserve
