// SPDX-License-Identifier: Apache-2.0
#include "server/security/transport_security.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/tls_fixture.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

using TransportSecurityTest = TlsFixture;

grpc::StatusCode Code(const grpc::Status& status) { return status.error_code(); }

TEST_F(TransportSecurityTest, WithACertificateTheServerSpeaksTlsOnly) {
  const auto server = Start(Tls());
  EXPECT_EQ(Code(Ask(*server, authority_, nullptr)), grpc::StatusCode::OK);
  EXPECT_EQ(Code(Ask(*server, stranger_, nullptr)), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Code(Ask(*server, grpc::InsecureChannelCredentials())), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TransportSecurityTest, WithAuthoritiesOnlyTheirClientsGetIn) {
  const auto server = Start(MutualTls());
  EXPECT_EQ(Code(Ask(*server, authority_, &client_)), grpc::StatusCode::OK);
  EXPECT_EQ(Code(Ask(*server, authority_, nullptr)), grpc::StatusCode::UNAVAILABLE);
  const Identity intruder("client", &stranger_);
  EXPECT_EQ(Code(Ask(*server, authority_, &intruder)), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TransportSecurityTest, RenewedFilesAreTakenOverWithoutARestart) {
  const auto server = Start(MutualTls());
  ASSERT_EQ(Code(Ask(*server, authority_, &client_)), grpc::StatusCode::OK);
  const Identity renewed_server("server", &stranger_);
  const Identity renewed_client("client", &stranger_);
  Write("authority.pem", stranger_.CertificatePem());
  Install(renewed_server, "server");
  // The refresh takes its second.
  while (!Ask(*server, stranger_, &renewed_client).ok()) {
  }
  EXPECT_EQ(Code(Ask(*server, authority_, &client_)), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TransportSecurityTest, RefusesFilesThatCannotServe) {
  Write("garbage.pem", "not a certificate");
  const auto refusal = [this](const SecurityFiles& files) {
    const auto server = Server::Start(Options(files), clock_);
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(server.status().message());
  };
  SecurityFiles files = Tls();
  files.private_key = "";
  EXPECT_EQ(refusal(files),
            "--tls-cert and --tls-key: expected both or neither, got only "
            "--tls-cert " +
                Path("server.pem"));
  files = MutualTls();
  files.certificate = files.private_key = "";
  EXPECT_EQ(refusal(files),
            "--tls-client-ca: expected --tls-cert and --tls-key with it, got "
            "--tls-client-ca " +
                Path("authority.pem"));
  files = Tls();
  files.certificate = Path("missing.pem");
  EXPECT_EQ(refusal(files), "--tls-cert: expected a readable PEM file, got " + Path("missing.pem"));
  files.certificate = Path("garbage.pem");
  EXPECT_EQ(refusal(files), "--tls-cert: expected a PEM file that starts with a certificate, got " +
                                Path("garbage.pem"));
  files = Tls();
  files.private_key = Path("server.pem");
  EXPECT_THAT(refusal(files), HasSubstr("--tls-key: expected a PEM file with a private key"));
  Install(client_, "client");
  files.private_key = Path("client.key");
  EXPECT_THAT(refusal(files), HasSubstr("--tls-key: expected the key of the certificate"));
  files = MutualTls();
  files.client_authorities = Path("garbage.pem");
  EXPECT_THAT(refusal(files), HasSubstr("--tls-client-ca: expected a PEM file"));
}

TEST_F(TransportSecurityTest, WarnsOfAnOpenServerOnANetwork) {
  const SecurityFiles none;
  EXPECT_THAT(SecurityWarning(none, "127.0.0.1", true), IsEmpty());
  EXPECT_THAT(SecurityWarning(none, "[::1]", false), IsEmpty());
  EXPECT_THAT(SecurityWarning(none, "0.0.0.0", false), HasSubstr("without TLS"));
  EXPECT_THAT(SecurityWarning(none, "[::]", true), HasSubstr("load and unload models"));
  EXPECT_THAT(SecurityWarning(Tls(), "0.0.0.0", true), HasSubstr("load and unload models"));
  EXPECT_THAT(SecurityWarning(Tls(), "0.0.0.0", false), IsEmpty());
  EXPECT_THAT(SecurityWarning(MutualTls(), "0.0.0.0", true), IsEmpty());
}

}  // namespace
}  // namespace lipserve
