// SPDX-License-Identifier: Apache-2.0
#include "server/operations/listen_address.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

constexpr char kUnixPrefix[] = "unix:";

}  // namespace

absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text) {
  constexpr int kLargestPort = 65535;
  ListenAddress address;
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos && colon > 0) {
    address.host = text.substr(0, colon);
    const bool bare_ipv6 = address.host[0] != '[' && address.host.find(':') != std::string::npos;
    if (!bare_ipv6 && absl::SimpleAtoi(text.substr(colon + 1), &address.port) &&
        address.port >= 0 && address.port <= kLargestPort) {
      return address;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "expected host:port with a port of 0 to 65535, e.g. 127.0.0.1:8001 or [::]:8001, got '", text,
      "'"));
}

absl::StatusOr<ListenAddress> ParseListenAddressOrUnix(const std::string& text) {
  constexpr std::size_t kLongestPath = 107;  // of the kernel's sockaddr_un
  ListenAddress unix_socket{.host = text, .port = 0};
  if (!IsUnixSocket(unix_socket)) return ParseListenAddress(text);
  const std::string path = UnixPath(unix_socket);
  if (path.size() > 1 && path.front() == '/' && path.size() <= kLongestPath) return unix_socket;
  return absl::InvalidArgumentError(
      absl::StrCat("expected unix: and the absolute path of a socket, of at most ", kLongestPath,
                   " bytes, e.g. unix:/run/lipserve.sock, got '", text, "'"));
}

bool IsUnixSocket(const ListenAddress& address) { return address.host.rfind(kUnixPrefix, 0) == 0; }

std::string UnixPath(const ListenAddress& address) {
  return address.host.substr(sizeof(kUnixPrefix) - 1);
}

std::string ToString(const ListenAddress& address) {
  if (IsUnixSocket(address)) return address.host;
  return absl::StrCat(address.host, ":", address.port);
}

}  // namespace lipserve
