// SPDX-License-Identifier: Apache-2.0
#include "server/operations/listen_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace lipserve {
namespace {

using ::testing::HasSubstr;

TEST(ListenAddressTest, ReadsWhatItWrites) {
  for (const char* text :
       {"127.0.0.1:8001", "localhost:0", "0.0.0.0:65535", "[::]:80", "[::1]:1"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(ToString(*address), text);
  }
}

TEST(ListenAddressTest, RefusesWhatIsNoHostAndPort) {
  for (const char* text : {"", "8001", ":8001", "localhost", "localhost:", "localhost:x",
                           "localhost:-1", "localhost:65536", "::1:80"}) {
    const auto address = ParseListenAddress(text);
    EXPECT_TRUE(absl::IsInvalidArgument(address.status())) << text;
    EXPECT_THAT(std::string(address.status().message()), HasSubstr("expected host:port"));
  }
}

TEST(ListenAddressTest, AUnixSocketIsAnAddressWhereItIsAskedFor) {
  const auto address = ParseListenAddressOrUnix("unix:/run/lipserve.sock");
  ASSERT_TRUE(address.ok());
  EXPECT_TRUE(IsUnixSocket(*address));
  EXPECT_EQ(UnixPath(*address), "/run/lipserve.sock");
  EXPECT_EQ(ToString(*address), "unix:/run/lipserve.sock");
  EXPECT_EQ(ParseListenAddressOrUnix("[::1]:7")->port, 7);
  EXPECT_FALSE(ParseListenAddress("unix:/run/lipserve.sock").ok());
  for (const std::string& path :
       {std::string(), std::string("/"), std::string("run/x.sock"), "/" + std::string(107, 'x')}) {
    EXPECT_THAT(std::string(ParseListenAddressOrUnix("unix:" + path).status().message()),
                HasSubstr("absolute path"))
        << path;
  }
}

}  // namespace
}  // namespace lipserve
