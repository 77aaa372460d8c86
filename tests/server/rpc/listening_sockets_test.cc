// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/listening_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/server/small_model.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Error(const ListenAddress& address) {
  return std::string(ListeningSockets::Open(address).status().message());
}

TEST(ListeningSocketsTest, TakesAFreePortAndNoPortTwice) {
  const auto first = ListeningSockets::Open({.host = "127.0.0.1", .port = 0});
  ASSERT_TRUE(first.ok());
  ASSERT_GT(first->port(), 0);
  EXPECT_THAT(Error({.host = "127.0.0.1", .port = first->port()}),
              AllOf(HasSubstr("Address already in use"), HasSubstr("--grpc")));
  const auto any = ListeningSockets::Open({.host = "0.0.0.0", .port = 0});
  ASSERT_TRUE(any.ok());
  EXPECT_EQ(any->sockets().size(), 1U);
}

TEST(ListeningSocketsTest, AHostThatIsNotHereIsAnErrorThatSaysSo) {
  EXPECT_THAT(Error({.host = "192.0.2.1", .port = 0}), HasSubstr("Cannot assign requested"));
}

class UnixSocketTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/s";
  const ListenAddress address_{.host = "unix:" + path_, .port = 0};
};

TEST_F(UnixSocketTest, ItsFileGoesWithIt) {
  {
    const auto sockets = ListeningSockets::Open(address_);
    ASSERT_TRUE(sockets.ok());
    EXPECT_TRUE(std::filesystem::is_socket(path_));
    EXPECT_THAT(Error(address_), HasSubstr("Address already in use"));
    EXPECT_TRUE(std::filesystem::is_socket(path_));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixSocketTest, WhatAKilledServerLeftIsReplacedAndOtherFilesAreNot) {
  {
    auto killed = ListeningSockets::Open(address_);
    std::filesystem::rename(path_, path_ + ".left");
  }
  std::filesystem::rename(path_ + ".left", path_);
  EXPECT_TRUE(ListeningSockets::Open(address_).ok());
  std::ofstream(path_) << "precious";
  EXPECT_THAT(Error(address_), HasSubstr("Address already in use"));
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

}  // namespace
}  // namespace lipserve
