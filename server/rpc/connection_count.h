// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_CONNECTION_COUNT_H_
#define SERVER_RPC_CONNECTION_COUNT_H_

#include <sys/socket.h>

#include <cstddef>
#include <string>
#include <unordered_map>

namespace lipserve {

// Most connections at a time. 0: no limit.
struct ConnectionLimits {
  std::size_t total = 0;
  std::size_t per_peer = 0;
};

// Whom connections of one machine belong to: an IPv4 address, or the first 64 bits of an IPv6
// address, because one machine may use all addresses that begin with them. Empty for a unix socket.
std::string PeerOf(const sockaddr_storage& address);

// "192.0.2.7" or "2001:db8:1:2::/64", for people; "this machine" for a unix socket.
std::string PeerText(const std::string& peer);

// Counts open connections, and says which new ones may be kept.
//
//   ConnectionCount count({.total = 1000, .per_peer = 10});
//   if (count.TryAdd(peer) == ConnectionCount::Outcome::kAdded) ...
//   count.Remove(peer);
//
// Unix sockets have no limit for each peer.
//
// Threads: one at a time.
class ConnectionCount {
 public:
  enum class Outcome { kAdded, kTotalReached, kPeerReached };

  explicit ConnectionCount(const ConnectionLimits& limits) : limits_(limits) {}

  Outcome TryAdd(const std::string& peer);
  // Requires: TryAdd added the peer.
  void Remove(const std::string& peer);
  std::size_t current() const { return current_; }

 private:
  bool CountsPeer(const std::string& peer) const { return limits_.per_peer > 0 && !peer.empty(); }

  const ConnectionLimits limits_;
  std::size_t current_ = 0;
  std::unordered_map<std::string, std::size_t> of_peers_;  // those with a connection
};

}  // namespace lipserve

#endif  // SERVER_RPC_CONNECTION_COUNT_H_
