// SPDX-License-Identifier: Apache-2.0
#include "server/connection_cork.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/numbers.h"

namespace lipserve {
namespace {

constexpr std::size_t kLeastAnswersPerConnection = 2;
constexpr std::size_t kMostConnections = ConnectionCork::kMostAnswers / kLeastAnswersPerConnection;

// A search takes no more than a thousandth of the time.
constexpr std::chrono::milliseconds kLeastBetweenSearches{100};
constexpr int kSearchCostsBetweenSearches = 1000;

// The TCP port of this end of the socket `fd`, or -1 if that is none.
int LocalPort(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return -1;
}

// Whether there is another end, which a listening socket does not have.
bool IsConnected(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
}

void Cork(const std::vector<int>& connections, int on) {
  // Fails for what has been closed.
  for (const int fd : connections) ::setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

}  // namespace

ConnectionCork::Hold::~Hold() {
  if (connections_ != nullptr) Cork(*connections_, 0);
}

ConnectionCork::Hold ConnectionCork::HoldBack(std::size_t answers) {
  if (port_ == 0 || answers < kLeastAnswersPerConnection) return Hold(nullptr);
  FindConnections();
  if (too_many_ || answers < kLeastAnswersPerConnection * connections_.size()) return Hold(nullptr);
  Cork(connections_, 1);
  return Hold(&connections_);
}

void ConnectionCork::FindConnections() {
  const Clock::TimePoint start = clock_->Now();
  if (start < next_search_) return;
  connections_.clear();
  too_many_ = false;
  std::error_code error;
  for (std::filesystem::directory_iterator file("/proc/self/fd", error), end;
       !error && file != end && !too_many_; file.increment(error)) {
    int fd = -1;
    if (!absl::SimpleAtoi(file->path().filename().string(), &fd)) continue;
    if (LocalPort(fd) != port_ || !IsConnected(fd)) continue;
    too_many_ = connections_.size() == kMostConnections;
    if (!too_many_) connections_.push_back(fd);
  }
  const Clock::TimePoint end = clock_->Now();
  next_search_ = end + std::max<Clock::TimePoint::duration>(
                           kLeastBetweenSearches, kSearchCostsBetweenSearches * (end - start));
}

}  // namespace lipserve
