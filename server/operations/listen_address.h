// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_LISTEN_ADDRESS_H_
#define SERVER_OPERATIONS_LISTEN_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"

namespace lipserve {

// An address to listen on.
struct ListenAddress {
  // A name or a number; an IPv6 number is in brackets. "unix:/path" is a unix socket, without port.
  std::string host;
  int port = 0;  // 0 takes any free port
};

// Reads "host:port", e.g. "127.0.0.1:8001" or "[::]:8001".
//
// Errors: InvalidArgument saying what was expected.
absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text);

// Reads "unix:/path" too.
//
// Errors: those of ParseListenAddress; InvalidArgument if the path is not absolute or too long.
absl::StatusOr<ListenAddress> ParseListenAddressOrUnix(const std::string& text);

bool IsUnixSocket(const ListenAddress& address);

// The path of a unix socket.
//
// Requires: IsUnixSocket.
std::string UnixPath(const ListenAddress& address);

// "host:port" or "unix:/path".
std::string ToString(const ListenAddress& address);

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_LISTEN_ADDRESS_H_
