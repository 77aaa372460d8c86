// SPDX-License-Identifier: Apache-2.0
// Connections to the gRPC port: how many may come, how they are counted, and what they may send.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/server/raw_connection.h"
#include "tests/server/test_server.h"

namespace lipserve {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ServerConnectionsTest : public ::testing::Test {
 protected:
  ServerConnectionsTest() : options_(MakeOptions()) {}

  ServerOptions MakeOptions() {
    folder_.Add("small", "1", SmallModel());
    return TestOptions(folder_);
  }
  static int Port(TestServer& server) { return server.server().grpc_address().port; }
  static grpc::Status Classify(TestServer& server) {
    return server.Classify(Fp32Request("small", RandomInputs(1, 1)));
  }

  TemporaryModels folder_;
  ServerOptions options_;
};

TEST_F(ServerConnectionsTest, MoreThanTheLimitAreClosedAndThoseThatWereThereGoOn) {
  std::vector<std::string> log;
  options_.max_connections = 2;
  options_.log = [&log](const std::string& line) { log.push_back(line); };
  std::optional<TestServer> server(options_);
  EXPECT_TRUE(Classify(*server).ok());
  std::optional<RawConnection> second(Port(*server));
  EXPECT_TRUE(second->IsKept());
  EXPECT_FALSE(RawConnection(Port(*server)).IsKept());
  server->WaitForMetric("lipserve_connections 2\n");
  server->WaitForMetric("lipserve_connections_limit 2\n");
  server->WaitForMetric("lipserve_connections_refused_total{reason=\"limit\"} 1\n");
  // A full server is alive, and answers those who are connected.
  EXPECT_TRUE(Classify(*server).ok());
  EXPECT_THAT(HttpGet(server->server().http_address().port, "/livez"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(HttpGet(server->server().http_address().port, "/readyz"), StartsWith("HTTP/1.1 200"));
  second.reset();
  server->WaitForMetric("lipserve_connections 1\n");
  EXPECT_TRUE(RawConnection(Port(*server)).IsKept());
  server.reset();
  EXPECT_THAT(log, ::testing::Contains(HasSubstr("--max-connections")));
}

TEST_F(ServerConnectionsTest, OnePeerMayHaveItsShareAndOthersTheirs) {
  options_.max_connections_per_peer = 1;
  TestServer server(options_);
  RawConnection first(Port(server), "127.0.0.2");
  EXPECT_TRUE(first.IsKept());
  EXPECT_FALSE(RawConnection(Port(server), "127.0.0.2").IsKept());
  EXPECT_TRUE(RawConnection(Port(server), "127.0.0.3").IsKept());
  server.WaitForMetric("lipserve_connections_refused_total{reason=\"peer_limit\"} 1\n");
}

TEST_F(ServerConnectionsTest, ConnectionsThatSayNothingOrVanishAreCountedUntilTheyEnd) {
  TestServer server(options_);
  {
    std::vector<RawConnection> connections;
    for (int i = 0; i < 20; ++i) connections.emplace_back(Port(server));
    for (int i = 0; i < 20; i += 2) connections[static_cast<std::size_t>(i)].IsKept();
    server.WaitForMetric("lipserve_connections 20\n");
  }
  server.WaitForMetric("lipserve_connections 0\n");
  server.WaitForMetric("lipserve_connections_accepted_total 20\n");
}

TEST_F(ServerConnectionsTest, ServesAUnixSocket) {
  options_.grpc = {.host = "unix:" + folder_.path() + ".sock", .port = 0};
  std::optional<TestServer> server(options_);
  const auto stub = v1::ClassifierService::NewStub(
      grpc::CreateChannel(options_.grpc.host, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  const grpc::Status status =
      stub->Classify(&context, Fp32Request("small", RandomInputs(1, 1)), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(ToString(server->server().grpc_address()), options_.grpc.host);
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(UnixPath(options_.grpc)));
}

TEST_F(ServerConnectionsTest, TooMuchMetadataIsRefusedAndTheNeighboursCallsGoOn) {
  TestServer server(options_);
  const std::unique_ptr<HealthWatch> neighbour = server.WatchHealth();
  EXPECT_EQ(neighbour->Next(), "SERVING");
  for (const std::size_t bytes : {std::size_t{17} << 10, std::size_t{48} << 10}) {
    grpc::ClientContext context;
    context.AddMetadata("note", std::string(bytes, 'x'));
    v1::ClassifyResponse response;
    const grpc::Status status =
        server.stub().Classify(&context, Fp32Request("small", RandomInputs(1, 1)), &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("metadata: expected at most 16384 bytes, got "));
  }
  EXPECT_TRUE(Classify(server).ok());
  server.WaitForMetric("lipserve_connections_accepted_total 1\n");
  server.server().StartDraining();
  EXPECT_EQ(neighbour->Next(), "NOT_SERVING");
}

}  // namespace
}  // namespace lipserve
