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

}  // namespace
}  // namespace lipserve
