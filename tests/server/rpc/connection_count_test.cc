// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/connection_count.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <string>

namespace lipserve {
namespace {

using Outcome = ConnectionCount::Outcome;

std::string Peer(const std::string& text) {
  sockaddr_storage address{};
  if (text.find(':') == std::string::npos) {
    address.ss_family = AF_INET;
    ::inet_pton(AF_INET, text.c_str(), &reinterpret_cast<sockaddr_in&>(address).sin_addr);
  } else {
    address.ss_family = AF_INET6;
    ::inet_pton(AF_INET6, text.c_str(), &reinterpret_cast<sockaddr_in6&>(address).sin6_addr);
  }
  return PeerOf(address);
}

TEST(ConnectionCountTest, APeerIsAnIpv4AddressOrAnIpv6Network) {
  EXPECT_EQ(PeerText(Peer("192.0.2.7")), "192.0.2.7");
  EXPECT_NE(Peer("192.0.2.7"), Peer("192.0.2.8"));
  EXPECT_EQ(Peer("::ffff:192.0.2.7"), Peer("192.0.2.7"));
  EXPECT_EQ(Peer("2001:db8:1:2::7"), Peer("2001:db8:1:2:3:4:5:6"));
  EXPECT_NE(Peer("2001:db8:1:2::7"), Peer("2001:db8:1:3::7"));
  EXPECT_EQ(PeerText(Peer("2001:db8:1:2::7")), "2001:db8:1:2::/64");
  sockaddr_storage unix_socket{};
  unix_socket.ss_family = AF_UNIX;
  EXPECT_EQ(PeerText(PeerOf(unix_socket)), "this machine");
}

TEST(ConnectionCountTest, TheTotalIsLimitedAndGivenBack) {
  ConnectionCount count({.total = 2, .per_peer = 0});
  EXPECT_EQ(count.TryAdd("a"), Outcome::kAdded);
  EXPECT_EQ(count.TryAdd("a"), Outcome::kAdded);
  EXPECT_EQ(count.TryAdd("b"), Outcome::kTotalReached);
  EXPECT_EQ(count.current(), 2U);
  count.Remove("a");
  EXPECT_EQ(count.TryAdd("b"), Outcome::kAdded);
}

TEST(ConnectionCountTest, EachPeerIsLimitedButNotThisMachine) {
  ConnectionCount count({.total = 10, .per_peer = 1});
  EXPECT_EQ(count.TryAdd("a"), Outcome::kAdded);
  EXPECT_EQ(count.TryAdd("a"), Outcome::kPeerReached);
  EXPECT_EQ(count.TryAdd("b"), Outcome::kAdded);
  EXPECT_EQ(count.TryAdd(""), Outcome::kAdded);
  EXPECT_EQ(count.TryAdd(""), Outcome::kAdded);
  EXPECT_EQ(count.current(), 4U);
  count.Remove("a");
  count.Remove("");
  EXPECT_EQ(count.TryAdd("a"), Outcome::kAdded);
  EXPECT_EQ(count.TryAdd("a"), Outcome::kPeerReached);
}

TEST(ConnectionCountTest, WithoutLimitsNothingIsRefused) {
  ConnectionCount count({.total = 0, .per_peer = 0});
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(count.TryAdd("a"), Outcome::kAdded);
}

}  // namespace
}  // namespace lipserve
