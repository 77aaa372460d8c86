// SPDX-License-Identifier: Apache-2.0
#include "server/connection_cork.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "tests/server/fake_task.h"

namespace lipserve {
namespace {

using std::chrono::milliseconds;

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

  void Answer() const { ASSERT_EQ(::send(server.fd(), "a", 1, 0), 1); }
  bool GetsSomething(milliseconds patience) const {
    pollfd readable{.fd = client.fd(), .events = POLLIN, .revents = 0};
    return ::poll(&readable, 1, static_cast<int>(patience.count())) == 1;
  }
  // Takes what comes until `count` answers have.
  void Receive(std::size_t count) const {
    while (count > 0) {
      ASSERT_TRUE(GetsSomething(std::chrono::minutes(1)));
      char answers[16];
      const auto received = ::recv(client.fd(), answers, std::min(count, sizeof(answers)), 0);
      ASSERT_GT(received, 0);
      count -= static_cast<std::size_t>(received);
    }
  }

  File client;
  File server;
};

// Whether what the server writes after HoldBack(answers) waits until the hold ends. The kernel
// itself holds it no longer than 200 ms, so that a round proves nothing in which this thread was
// slower.
bool HoldsBack(ConnectionCork& cork, std::size_t answers, const Pair& pair) {
  constexpr milliseconds kLongEnough(50);
  constexpr milliseconds kPatienceOfTheKernel(200);
  while (true) {
    bool arrived = false;
    const auto start = std::chrono::steady_clock::now();
    {
      const ConnectionCork::Hold hold = cork.HoldBack(answers);
      pair.Answer();
      pair.Answer();
      arrived = pair.GetsSomething(kLongEnough);
    }
    const bool in_time = std::chrono::steady_clock::now() - start < kPatienceOfTheKernel;
    pair.Receive(2);
    if (in_time || !arrived) return !arrived;
  }
}

TEST(ConnectionCorkTest, WhatIsWrittenUnderAHoldArrivesWhenItEnds) {
  const FakeClock clock;
  for (const int family : {AF_INET, AF_INET6}) {
    const Listener listener(family);
    if (family == AF_INET6 && !listener.bound()) continue;  // a machine without IPv6
    const Pair pair(listener);
    ConnectionCork cork(listener.port(), clock);
    for (int round = 0; round < 3; ++round) EXPECT_TRUE(HoldsBack(cork, 2, pair)) << family;
  }
}

TEST(ConnectionCorkTest, HoldsNothingBackThatIsNotWorthIt) {
  const FakeClock clock;
  const Listener listener;
  const Pair first(listener);
  const Pair second(listener);
  ConnectionCork cork(listener.port(), clock);
  for (const std::size_t answers : {0U, 1U, 3U}) {  // less than two for each connection
    EXPECT_FALSE(HoldsBack(cork, answers, first)) << answers;
  }
  EXPECT_TRUE(HoldsBack(cork, 4, first));
  EXPECT_TRUE(HoldsBack(cork, 4, second));
}

TEST(ConnectionCorkTest, HoldsNothingBackForACrowd) {
  const FakeClock clock;
  const Listener listener;
  std::vector<std::unique_ptr<Pair>> pairs;
  for (std::size_t i = 0; i <= ConnectionCork::kMostAnswers; ++i) {
    pairs.push_back(std::make_unique<Pair>(listener));
  }
  ConnectionCork cork(listener.port(), clock);
  for (const auto& pair : pairs) EXPECT_FALSE(HoldsBack(cork, 1000, *pair));
}

TEST(ConnectionCorkTest, LeavesOtherPortsAlone) {
  const FakeClock clock;
  const Listener listener;
  const Listener other;
  const Pair pair(other);
  ConnectionCork cork(listener.port(), clock);
  EXPECT_FALSE(HoldsBack(cork, 8, pair));
  ConnectionCork of_no_port;
  EXPECT_FALSE(HoldsBack(of_no_port, 8, pair));
}

TEST(ConnectionCorkTest, FindsNewConnectionsAfterAWhileAndForgetsThoseThatHaveGone) {
  FakeClock clock;
  const Listener listener;
  auto first = std::make_unique<Pair>(listener);
  ConnectionCork cork(listener.port(), clock);
  EXPECT_TRUE(HoldsBack(cork, 4, *first));
  const Pair second(listener);
  EXPECT_FALSE(HoldsBack(cork, 4, second));  // not known yet
  clock.Advance(milliseconds(100));
  EXPECT_TRUE(HoldsBack(cork, 4, second));
  {
    const ConnectionCork::Hold hold = cork.HoldBack(4);
    first.reset();  // ends under a hold
  }
  EXPECT_FALSE(HoldsBack(cork, 3, second));  // still counted as two
  clock.Advance(milliseconds(100));
  EXPECT_TRUE(HoldsBack(cork, 3, second));
}

}  // namespace
}  // namespace lipserve
