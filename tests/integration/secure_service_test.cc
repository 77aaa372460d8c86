// SPDX-License-Identifier: Apache-2.0
// The programs over TLS: who has no certificate is not served, who has one may do what the policy
// says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/integration/demo_service.h"
#include "tests/server/certificates.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

class SecureServiceTest : public ::testing::Test {
 protected:
  SecureServiceTest() {
    Write("authority.pem", authority_.CertificatePem());
    for (const auto& [name, identity] : {std::pair("server", &server_), std::pair("app", &app_)}) {
      Write(std::string(name) + ".pem", identity->CertificatePem());
      Write(std::string(name) + ".key", identity->PrivateKeyPem());
    }
    Write("access.textproto", "allow { clients: 'app' methods: 'ListModels' }");
  }

  std::string Path(const std::string& name) const { return folder_.path(name); }
  void Write(const std::string& name, const std::string& text) const {
    WriteBytes(Path(name), text);
  }

  TemporaryFolder folder_;
  const Identity authority_{"authority"};
  const Identity server_{"server", &authority_};
  const Identity app_{"app", &authority_};
};

TEST_F(SecureServiceTest, OnlyClientsWithACertificateAreServedWhatThePolicyAllows) {
  ASSERT_TRUE(TrainDemo(Path("models/mnist08/1")).ok());
  auto server =
      StartServer(Path("models"), {"--tls-cert", Path("server.pem"), "--tls-key",
                                   Path("server.key"), "--tls-client-ca", Path("authority.pem"),
                                   "--access-policy", Path("access.textproto")});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto client = [&](const std::string& command, std::vector<std::string> flags) {
    flags.insert(flags.begin(), {command, "--server", server->grpc_address, "--timeout", "5s"});
    return RunClient(flags);
  };
  const std::vector<std::string> identity = {"--tls-ca",   Path("authority.pem"),
                                             "--tls-cert", Path("app.pem"),
                                             "--tls-key",  Path("app.key")};
  const FinishedProgram listed = client("models", identity);
  EXPECT_EQ(listed.exit_code, 0) << listed.error;
  EXPECT_THAT(listed.output, HasSubstr("mnist08"));

  const FinishedProgram denied = client("describe", identity);
  EXPECT_EQ(denied.exit_code, 1);
  EXPECT_THAT(denied.error, HasSubstr("does not allow 'localhost"));
  EXPECT_THAT(denied.error, HasSubstr("to call DescribeModel"));

  EXPECT_EQ(client("models", {"--tls-ca", Path("authority.pem")}).exit_code, 1);
  EXPECT_EQ(client("models", {}).exit_code, 1);
  const FinishedProgram missing = client("models", {"--tls-ca", Path("missing.pem")});
  EXPECT_THAT(missing.error, HasSubstr("--tls-ca: expected a readable PEM file"));
  const FinishedProgram half = client("models", {"--tls-key", Path("app.key")});
  EXPECT_THAT(half.error, HasSubstr("expected both or neither, got only --tls-key"));
}

}  // namespace
}  // namespace lipserve
