// SPDX-License-Identifier: Apache-2.0
#include "server/operations/listen_address.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lipserve {

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

std::string ToString(const ListenAddress& address) {
  return absl::StrCat(address.host, ":", address.port);
}

}  // namespace lipserve
