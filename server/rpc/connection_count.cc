// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/connection_count.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

constexpr std::size_t kIpv4Bytes = 4;
constexpr std::size_t kIpv6NetworkBytes = 8;
constexpr std::size_t kMappedPrefixBytes = 12;  // of ::ffff:192.0.2.7

}  // namespace

std::string PeerOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const in_addr& ip = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    return {reinterpret_cast<const char*>(&ip), kIpv4Bytes};
  }
  if (address.ss_family != AF_INET6) return {};
  const in6_addr& ip = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  const std::string bytes(reinterpret_cast<const char*>(&ip), sizeof(ip));
  return IN6_IS_ADDR_V4MAPPED(&ip) ? bytes.substr(kMappedPrefixBytes)
                                   : bytes.substr(0, kIpv6NetworkBytes);
}

std::string PeerText(const std::string& peer) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (peer.size() == kIpv4Bytes) {
    return ::inet_ntop(AF_INET, peer.data(), text.data(), text.size());
  }
  if (peer.size() != kIpv6NetworkBytes) return "this machine";
  in6_addr network{};
  std::memcpy(&network, peer.data(), peer.size());
  return absl::StrCat(::inet_ntop(AF_INET6, &network, text.data(), text.size()), "/64");
}

ConnectionCount::Outcome ConnectionCount::TryAdd(const std::string& peer) {
  if (limits_.total > 0 && current_ >= limits_.total) return Outcome::kTotalReached;
  if (CountsPeer(peer)) {
    const auto found = of_peers_.find(peer);
    if (found != of_peers_.end() && found->second >= limits_.per_peer) return Outcome::kPeerReached;
    ++of_peers_[peer];
  }
  ++current_;
  return Outcome::kAdded;
}

void ConnectionCount::Remove(const std::string& peer) {
  --current_;
  if (!CountsPeer(peer)) return;
  const auto found = of_peers_.find(peer);
  if (--found->second == 0) of_peers_.erase(found);
}

}  // namespace lipserve
