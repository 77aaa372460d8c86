// SPDX-License-Identifier: Apache-2.0
#include "client/connection_hint.h"

#include <utility>

#include "absl/strings/match.h"

namespace lipserve {
namespace {

// From the most to the least specific.
constexpr std::pair<const char*, const char*> kHints[] = {
    {"unhealthy", "; the server is there and not serving: it is loading or draining"},
    {"certificate verify failed",
     "; the server's certificate is from no authority of --tls-ca, has expired, or is for another "
     "name"},
    {"wrong version number", "; what listens there does not speak TLS: check the address"},
    {"handshake failed", "; check --tls-ca, --tls-cert and --tls-key"},
    {"Failed parsing HTTP/2",
     "; what listens there does not speak gRPC: is it the port of --grpc, not of --http?"},
    {"Socket closed",
     "; what listens there closed the connection, as a server does that speaks TLS (--tls-ca), "
     "asks "
     "for a certificate (--tls-cert), or has as many connections as it takes"},
    {"Connection reset", "; what listens there closed the connection"},
    {"connect", "; is lipserve-server running there?"}};

}  // namespace

std::string ConnectionHint(const std::string& message) {
  for (const auto& [part, hint] : kHints) {
    if (absl::StrContains(message, part)) return hint;
  }
  return "";
}

}  // namespace lipserve
