// SPDX-License-Identifier: Apache-2.0
#include "client/connection_hint.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// gRPC 1.51's messages, each of a real connection to what the hint names.
constexpr char kStart[] = "connections to all backends failing; last error: ";

std::string HintOf(const std::string& last_error) { return ConnectionHint(kStart + last_error); }

TEST(ConnectionHintTest, AServerThatIsNotThereIsAskedFor) {
  EXPECT_EQ(
      HintOf("UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused"),
      "; is lipserve-server running there?");
}

TEST(ConnectionHintTest, AServerThatIsThereIsNotAskedFor) {
  const std::pair<const char*, const char*> cases[] = {
      {"UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed", "--tls-ca"},
      {"UNAVAILABLE: ipv4:127.0.0.1:1: Failed parsing HTTP/2", "port of --grpc"},
      {"UNKNOWN: ipv4:127.0.0.1:1: Ssl handshake failed: SSL_ERROR_SSL: error:0A000086:SSL "
       "routines::certificate verify failed",
       "authority of --tls-ca"},
      {"UNKNOWN: ipv4:127.0.0.1:1: Ssl handshake failed: SSL_ERROR_SSL: error:0A00010B:SSL "
       "routines::wrong version number",
       "does not speak TLS"},
      {"UNKNOWN: ipv4:127.0.0.1:1: Ssl handshake failed: another reason", "check --tls-ca"},
      {"UNAVAILABLE: backend unhealthy", "loading or draining"}};
  for (const auto& [message, part] : cases) {
    EXPECT_THAT(HintOf(message), HasSubstr(part));
    EXPECT_THAT(HintOf(message), Not(HasSubstr("running there")));
  }
}

TEST(ConnectionHintTest, AnUnknownMessageGetsNone) {
  EXPECT_EQ(ConnectionHint("DNS resolution failed for x.invalid:8001: Domain name not found"), "");
}

}  // namespace
}  // namespace lipserve
