// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_LISTEN_ADDRESS_H_
#define SERVER_OPERATIONS_LISTEN_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"

namespace lipserve {

// An address to listen on.
struct ListenAddress {
  std::string host;  // a name or a number; an IPv6 number is in brackets
  int port = 0;      // 0 takes any free port
};

// Reads "host:port", e.g. "127.0.0.1:8001" or "[::]:8001".
//
// Errors: InvalidArgument saying what was expected.
absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text);

// "host:port".
std::string ToString(const ListenAddress& address);

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_LISTEN_ADDRESS_H_
