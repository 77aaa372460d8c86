// SPDX-License-Identifier: Apache-2.0
#include "client/server_target.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

TEST(ServerTargetTest, OneServerStaysAsItIs) {
  for (const char* server :
       {"127.0.0.1:8001", "localhost:8001", "[::1]:8001", "dns:///lipserve:8001",
        "dns://1.2.3.4/lipserve:8001", "unix:/run/lipserve,1.sock", "ipv4:1.2.3.4:1,5.6.7.8:2"}) {
    EXPECT_EQ(*ToGrpcTarget(server), server);
  }
}

// gRPC would call port 443.
TEST(ServerTargetTest, AServerWithoutAPortIsRefused) {
  for (const char* server : {"localhost", "127.0.0.1", ""}) {
    const auto target = ToGrpcTarget(server);
    ASSERT_EQ(target.status().code(), absl::StatusCode::kInvalidArgument) << server;
    EXPECT_THAT(std::string(target.status().message()), HasSubstr("expected host:port"));
  }
}

TEST(ServerTargetTest, AListOfAddressesGetsItsScheme) {
  EXPECT_EQ(*ToGrpcTarget("127.0.0.1:1,127.0.0.2:65535"), "ipv4:127.0.0.1:1,127.0.0.2:65535");
  EXPECT_EQ(*ToGrpcTarget("[::1]:1,[fe80::1]:2"), "ipv6:[::1]:1,[fe80::1]:2");
}

TEST(ServerTargetTest, AListThatGrpcCannotTakeIsRefusedWithTheItem) {
  for (const char* bad : {"a:1", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:x", "", "::1:80",
                          "[::1]", "[1.2.3.4]:80"}) {
    const auto target = ToGrpcTarget("127.0.0.1:1," + std::string(bad));
    ASSERT_EQ(target.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(target.status().message()),
                HasSubstr("got \"" + std::string(bad) + "\""));
  }
  EXPECT_EQ(ToGrpcTarget("127.0.0.1:1,[::1]:2").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace lipserve
