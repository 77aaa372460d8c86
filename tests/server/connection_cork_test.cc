// SPDX-License-Identifier: Apache-2.0
#include "server/connection_cork.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/server/fake_task.h"

namespace lipserve {
namespace {

// An open file, closed at the end.
class File {
 public:
  explicit File(int fd) : fd_(fd) { EXPECT_GE(fd, 0); }
  ~File() { Close(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

// What listens on a free port of this machine, over IPv4 or IPv6.
class Listener {
 public:
  explicit Listener(int family = AF_INET) : socket_(::socket(family, SOCK_STREAM, 0)) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    const auto* any = family == AF_INET ? reinterpret_cast<const sockaddr*>(&v4)
                                        : reinterpret_cast<const sockaddr*>(&v6);
    const socklen_t size = family == AF_INET ? sizeof(v4) : sizeof(v6);
    bound_ = ::bind(socket_.fd(), any, size) == 0 && ::listen(socket_.fd(), 64) == 0;
    size_ = sizeof(address_);
    ::getsockname(socket_.fd(), reinterpret_cast<sockaddr*>(&address_), &size_);
  }

  bool bound() const { return bound_; }
  int port() const {
    return ntohs(address_.ss_family == AF_INET
                     ? reinterpret_cast<const sockaddr_in&>(address_).sin_port
                     : reinterpret_cast<const sockaddr_in6&>(address_).sin6_port);
  }
  int Accept() const { return ::accept(socket_.fd(), nullptr, nullptr); }
  int Connect() const {
    const int fd = ::socket(address_.ss_family, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address_), size_), 0);
    return fd;
  }

 private:
  File socket_;
  bool bound_ = false;
  sockaddr_storage address_{};
  socklen_t size_ = 0;
};

// A client and its connection.
struct Pair {
  explicit Pair(const Listener& listener) : client(listener.Connect()), server(listener.Accept()) {}

  void Answer(char letter) const { ASSERT_EQ(::send(server.fd(), &letter, 1, 0), 1); }
  // What the client has got by now: the loopback network delivers while `send` runs.
  std::string Got() const {
    char letters[16];
    const auto count = ::recv(client.fd(), letters, sizeof(letters), MSG_DONTWAIT);
    return count < 0 ? "" : std::string(letters, static_cast<std::size_t>(count));
  }

  File client;
  File server;
};

TEST(ConnectionCorkTest, WhatIsWrittenUnderAHoldArrivesWhenItEnds) {
  const FakeClock clock;
  for (const int family : {AF_INET, AF_INET6}) {
    const Listener listener(family);
    if (family == AF_INET6 && !listener.bound()) continue;  // a machine without IPv6
    const Pair pair(listener);
    ConnectionCork cork(listener.port(), clock);
    for (int round = 0; round < 3; ++round) {
      {
        const ConnectionCork::Hold hold = cork.HoldBack(2);
        pair.Answer('a');
        pair.Answer('b');
        EXPECT_EQ(pair.Got(), "") << family;
      }
      EXPECT_EQ(pair.Got(), "ab") << family;
    }
    pair.Answer('c');
    EXPECT_EQ(pair.Got(), "c") << family;
  }
}

TEST(ConnectionCorkTest, HoldsNothingBackThatIsNotWorthIt) {
  const FakeClock clock;
  const Listener listener;
  const Pair first(listener);
  const Pair second(listener);
  ConnectionCork cork(listener.port(), clock);
  for (const std::size_t answers : {0U, 1U, 3U}) {  // less than two for each connection
    const ConnectionCork::Hold hold = cork.HoldBack(answers);
    first.Answer('a');
    EXPECT_EQ(first.Got(), "a") << answers;
  }
  const ConnectionCork::Hold hold = cork.HoldBack(4);
  first.Answer('a');
  second.Answer('b');
  EXPECT_EQ(first.Got() + second.Got(), "");
}

TEST(ConnectionCorkTest, HoldsNothingBackForACrowd) {
  const FakeClock clock;
  const Listener listener;
  std::vector<std::unique_ptr<Pair>> pairs;
  for (std::size_t i = 0; i <= ConnectionCork::kMostAnswers; ++i) {
    pairs.push_back(std::make_unique<Pair>(listener));
  }
  ConnectionCork cork(listener.port(), clock);
  const ConnectionCork::Hold hold = cork.HoldBack(1000);
  for (const auto& pair : pairs) {
    pair->Answer('a');
    EXPECT_EQ(pair->Got(), "a");
  }
}

TEST(ConnectionCorkTest, LeavesOtherPortsAlone) {
  const FakeClock clock;
  const Listener listener;
  const Listener other;
  const Pair pair(other);
  ConnectionCork cork(listener.port(), clock);
  ConnectionCork of_no_port;
  const ConnectionCork::Hold hold = cork.HoldBack(8);
  const ConnectionCork::Hold none = of_no_port.HoldBack(8);
  pair.Answer('a');
  EXPECT_EQ(pair.Got(), "a");
}

TEST(ConnectionCorkTest, FindsNewConnectionsAfterAWhileAndForgetsThoseThatHaveGone) {
  FakeClock clock;
  const Listener listener;
  auto first = std::make_unique<Pair>(listener);
  ConnectionCork cork(listener.port(), clock);
  { const ConnectionCork::Hold hold = cork.HoldBack(4); }
  const Pair second(listener);
  {
    const ConnectionCork::Hold hold = cork.HoldBack(4);
    second.Answer('a');
    EXPECT_EQ(second.Got(), "a");  // not known yet
  }
  clock.Advance(std::chrono::milliseconds(100));
  {
    const ConnectionCork::Hold hold = cork.HoldBack(4);
    second.Answer('b');
    EXPECT_EQ(second.Got(), "");
    first.reset();  // ends under a hold
  }
  EXPECT_EQ(second.Got(), "b");
  {
    const ConnectionCork::Hold hold = cork.HoldBack(3);
    second.Answer('c');
    EXPECT_EQ(second.Got(), "c");  // still counted as two
  }
  clock.Advance(std::chrono::milliseconds(100));
  const ConnectionCork::Hold hold = cork.HoldBack(3);
  second.Answer('d');
  EXPECT_EQ(second.Got(), "");
}

}  // namespace
}  // namespace lipserve
