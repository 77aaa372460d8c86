// SPDX-License-Identifier: Apache-2.0
// A server with TLS whose certificates lie in files, and clients that know them.
#ifndef TESTS_SERVER_TLS_FIXTURE_H_
#define TESTS_SERVER_TLS_FIXTURE_H_

#include <grpc/support/log.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tests/server/certificates.h"
#include "tests/server/test_server.h"

namespace lipserve {

class TlsFixture : public ::testing::Test {
 protected:
  TlsFixture() {
    gpr_set_log_function([](gpr_log_func_args* /*line*/) {});  // refused handshakes fill pages
    models_.Add("small", "1", SmallModel(1));
    Install(server_, "server");
    Write("authority.pem", authority_.CertificatePem());
  }

  std::string Path(const std::string& name) const { return files_.path() + "/" + name; }

  // As those who renew files should: never one that is half written.
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name + ".new")) << text;
    std::filesystem::rename(Path(name + ".new"), Path(name));
  }
  void Install(const Identity& identity, const std::string& name) const {
    Write(name + ".key", identity.PrivateKeyPem());
    Write(name + ".pem", identity.CertificatePem());
  }

  SecurityFiles Tls() const {
    SecurityFiles files;
    files.certificate = Path("server.pem");
    files.private_key = Path("server.key");
    files.refresh = std::chrono::seconds(1);
    return files;
  }
  SecurityFiles MutualTls() const {
    SecurityFiles files = Tls();
    files.client_authorities = Path("authority.pem");
    return files;
  }

  ServerOptions Options(const SecurityFiles& files) const {
    ServerOptions options = TestOptions(models_);
    options.security = files;
    return options;
  }
  std::unique_ptr<Server> Start(const SecurityFiles& files) {
    auto server = Server::Start(Options(files), clock_).value();
    EXPECT_TRUE(server->WaitUntilServing().ok());
    return server;
  }

  // What a client gets that trusts `trusted` and shows `identity`, if any.
  static grpc::Status Ask(const Server& server, const Identity& trusted, const Identity* identity) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = trusted.CertificatePem();
    if (identity != nullptr) {
      options.pem_private_key = identity->PrivateKeyPem();
      options.pem_cert_chain = identity->CertificatePem();
    }
    return Ask(server, grpc::SslCredentials(options));
  }
  static grpc::Status Ask(const Server& server,
                          const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub = v1::ClassifierService::NewStub(grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(server.grpc_address().port), credentials, arguments));
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    return stub->ListModels(&context, v1::ListModelsRequest(), &response);
  }

  TemporaryModels models_;
  TemporaryFolder files_;
  SteadyClock clock_;
  const Identity authority_{"lipserve test authority"};
  const Identity stranger_{"another authority"};
  const Identity server_{"server", &authority_};
  const Identity client_{"client", &authority_};
};

}  // namespace lipserve

#endif  // TESTS_SERVER_TLS_FIXTURE_H_
