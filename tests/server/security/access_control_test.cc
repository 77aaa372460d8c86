// SPDX-License-Identifier: Apache-2.0
// The access policy of a whole server in this process, over TLS on loopback.
#include "server/security/access_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/tls_fixture.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;

class AccessControlTest : public TlsFixture {
 protected:
  SecurityFiles WithPolicy(const std::string& policy) const {
    SecurityFiles files = MutualTls();
    Write("access.textproto", policy);
    files.access_policy = Path("access.textproto");
    return files;
  }

  const Identity operator_{"operator", &authority_};
};

TEST_F(AccessControlTest, AClientMayCallWhatThePolicyAllowsItsCertificate) {
  const auto server =
      Start(WithPolicy("allow { clients: 'operator' methods: ['ListModels', 'Repository*'] }"));
  EXPECT_TRUE(Ask(*server, authority_, &operator_).ok());
  const grpc::Status refused = Ask(*server, authority_, &client_);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(refused.error_message(), HasSubstr("client"));
  EXPECT_THAT(refused.error_message(), HasSubstr("ListModels"));
}

TEST_F(AccessControlTest, EveryKindOfCallAsksThePolicy) {
  TemporaryModels folder;
  folder.Add("small", "1", SmallModel(1));
  ServerOptions options = TestOptions(folder);
  Write("access.textproto", "allow { clients: '*' methods: 'ServerLive' }");
  options.security.access_policy = Path("access.textproto");  // holds without TLS too
  TestServer server(options);
  EXPECT_EQ(server.Classify(Fp32Request("small", RandomInputs(1, 1))).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  {
    grpc::ClientContext context;
    inference::RepositoryModelUnloadRequest unload;
    unload.set_model_name("small");
    inference::RepositoryModelUnloadResponse response;
    EXPECT_EQ(server.inference().RepositoryModelUnload(&context, unload, &response).error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
  }
  {
    grpc::ClientContext context;
    const auto stream = server.stub().ClassifyStream(&context);
    ASSERT_TRUE(stream->Write(v1::ClassifyStreamRequest()));
    v1::ClassifyStreamResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.error().code(), static_cast<int>(grpc::StatusCode::PERMISSION_DENIED));
  }
  grpc::ClientContext context;
  inference::ServerLiveResponse response;
  EXPECT_TRUE(
      server.inference().ServerLive(&context, inference::ServerLiveRequest(), &response).ok());
  EXPECT_EQ(server.HealthOf(""), "SERVING");
}

TEST_F(AccessControlTest, AChangedPolicyIsTakenOverAndAWrongOneIsNot) {
  const auto server = Start(WithPolicy("allow { clients: 'operator' methods: '*' }"));
  ASSERT_EQ(Ask(*server, authority_, &client_).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  Write("access.textproto", "allow { clients: 'client' methods: '*' }");
  while (!Ask(*server, authority_, &client_).ok()) {
  }
  EXPECT_EQ(Ask(*server, authority_, &operator_).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(AccessControlTest, AWrongPolicyLeavesTheFormerOneInForce) {
  class ManualClock final : public Clock {
   public:
    TimePoint Now() const override { return now; }
    TimePoint now{std::chrono::hours(1)};
  };
  ManualClock clock;
  std::string log;
  Write("access.textproto", "allow { clients: '*' methods: 'Classify' }");
  AccessControl access({.path = Path("access.textproto"),
                        .refresh = std::chrono::seconds(60),
                        .log = [&log](const std::string& line) { log += line + "\n"; }},
                       clock);
  ASSERT_TRUE(access.Read().ok());
  const std::vector<std::string> nobody;
  EXPECT_TRUE(access.Current()->Allows(nobody, "Classify"));

  Write("access.textproto", "alow { }");
  EXPECT_TRUE(access.Current()->Allows(nobody, "Classify"));
  EXPECT_EQ(log, "");  // not looked at yet
  clock.now += std::chrono::seconds(61);
  EXPECT_TRUE(access.Current()->Allows(nobody, "Classify"));
  EXPECT_THAT(log, HasSubstr("the former one stays in force"));

  Write("access.textproto", "allow { clients: '*' methods: 'ModelInfer' }");
  clock.now += std::chrono::seconds(61);
  EXPECT_FALSE(access.Current()->Allows(nobody, "Classify"));
  EXPECT_TRUE(access.Current()->Allows(nobody, "ModelInfer"));
  std::filesystem::remove(Path("access.textproto"));
  clock.now += std::chrono::seconds(61);
  EXPECT_TRUE(access.Current()->Allows(nobody, "ModelInfer"));
}

TEST_F(AccessControlTest, AServerWithAWrongPolicyDoesNotStart) {
  const auto server = Server::Start(Options(WithPolicy("allow { methods: '*' }")), clock_);
  EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(server.status().message()), HasSubstr("access.textproto: allow[0]"));
  SecurityFiles files = MutualTls();
  files.access_policy = Path("missing");
  EXPECT_THAT(std::string(Server::Start(Options(files), clock_).status().message()),
              HasSubstr("--access-policy: expected a readable file"));
}

}  // namespace
}  // namespace lipserve
