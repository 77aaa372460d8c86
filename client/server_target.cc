// SPDX-License-Identifier: Apache-2.0
#include "client/server_target.h"

#include <arpa/inet.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace lipserve {
namespace {

enum class Family { kNone, kIpv4, kIpv6 };

// The family of "1.2.3.4:80" or "[::1]:80"; none if it is something else.
Family FamilyOf(const std::string& server) {
  const std::size_t colon = server.rfind(':');
  if (colon == std::string::npos) return Family::kNone;
  std::uint32_t port = 0;
  if (!absl::SimpleAtoi(server.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return Family::kNone;
  }
  std::string host = server.substr(0, colon);
  in6_addr parsed{};
  if (inet_pton(AF_INET, host.c_str(), &parsed) == 1) return Family::kIpv4;
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return Family::kNone;
  host = host.substr(1, host.size() - 2);
  return inet_pton(AF_INET6, host.c_str(), &parsed) == 1 ? Family::kIpv6 : Family::kNone;
}

bool HasScheme(const std::string& target) {
  for (const char* scheme : {"dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "xds:"}) {
    if (absl::StartsWith(target, scheme)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::string> ToGrpcTarget(const std::string& servers) {
  if (HasScheme(servers)) return servers;
  if (!absl::StrContains(servers, ':')) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected host:port, such as 127.0.0.1:8001, got \"", servers,
                     "\"; without a port gRPC would call port 443"));
  }
  if (!absl::StrContains(servers, ',')) return servers;
  Family family = Family::kNone;
  for (const std::string& server : std::vector<std::string>(absl::StrSplit(servers, ','))) {
    const Family found = FamilyOf(server);
    if (found == Family::kNone) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a list of servers: expected IP:port,IP:port,..., got \"", server,
          "\"; for servers that share one name give that alone, e.g. dns:///name:8001"));
    }
    if (family != Family::kNone && found != family) {
      return absl::InvalidArgumentError(
          absl::StrCat("a list of servers: expected all of them IPv4 or all of them IPv6, got \"",
                       servers, "\""));
    }
    family = found;
  }
  return absl::StrCat(family == Family::kIpv4 ? "ipv4:" : "ipv6:", servers);
}

}  // namespace lipserve
