// SPDX-License-Identifier: Apache-2.0
#include "server/operations/http_endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/server/http_get.h"

namespace lipserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const ListenAddress kAnyPort = {.host = "127.0.0.1", .port = 0};

class HttpEndpointTest : public ::testing::Test {
 protected:
  std::string Get(const std::string& path) { return HttpGet(endpoint_->port(), path); }

  Metrics metrics_{BuildInfo{}};
  Health health_;
  Liveness liveness_;
  std::unique_ptr<HttpEndpoint> endpoint_ =
      HttpEndpoint::Start(kAnyPort, metrics_, health_, liveness_).value();
};

TEST_F(HttpEndpointTest, MetricsComeInPrometheusTextFormat) {
  EXPECT_THAT(Get("/metrics"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"),
                    HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
                    HasSubstr("\r\n\r\n# HELP "), HasSubstr("# TYPE lipserve_queue_depth gauge")));
}

TEST_F(HttpEndpointTest, IsReadyOnlyWhileServingAndSaysWhyNot) {
  EXPECT_THAT(Get("/readyz"), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("loading")));
  health_.SetPhase(ServingPhase::kServing);
  EXPECT_THAT(Get("/readyz"), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\r\n\r\nready\n")));
  health_.SetPhase(ServingPhase::kDraining);
  EXPECT_THAT(Get("/readyz"), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("draining")));
  health_.SetPhase(ServingPhase::kRefusing);
  EXPECT_THAT(Get("/readyz"), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("draining")));
}

TEST_F(HttpEndpointTest, IsAliveInEveryPhase) {
  for (const ServingPhase phase : {ServingPhase::kLoading, ServingPhase::kServing,
                                   ServingPhase::kDraining, ServingPhase::kRefusing}) {
    health_.SetPhase(phase);
    EXPECT_THAT(Get("/livez"), StartsWith("HTTP/1.1 200 "));
  }
}

TEST_F(HttpEndpointTest, IsNeitherAliveNorReadyIfTheProbeFailsAndSaysWhy) {
  health_.SetPhase(ServingPhase::kServing);
  liveness_.SetProbe([] { return absl::DeadlineExceededError("nobody answers"); });
  EXPECT_THAT(Get("/livez"), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("not alive: nobody")));
  EXPECT_THAT(Get("/readyz"), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("not ready: nobody")));
  liveness_.SetProbe([] { return absl::OkStatus(); });
  EXPECT_THAT(Get("/livez"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpEndpointTest, KnowsNoOtherPage) {
  for (const char* path :
       {"/", "/metric", "/metrics/", "/metrics/x", "/livez2", "/../etc/passwd"}) {
    EXPECT_THAT(Get(path), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("/readyz"))) << path;
  }
}

TEST_F(HttpEndpointTest, IgnoresTheQuery) {
  EXPECT_THAT(Get("/livez?verbose=1"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpEndpointTest, HeadGetsTheHeadersAlone) {
  const std::string response =
      HttpExchange(endpoint_->port(), "HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(response, AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Length: 6\r\n"),
                              Not(HasSubstr("alive"))));
}

TEST_F(HttpEndpointTest, OtherMethodsOfAPageAreToldWhichThereAre) {
  for (const std::string method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"}) {
    const std::string rest = " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
    EXPECT_THAT(HttpExchange(endpoint_->port(), method + " /metrics" + rest),
                AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("\r\nAllow: GET, HEAD\r\n"),
                      HasSubstr("expected GET or HEAD, got " + method)));
    EXPECT_THAT(HttpExchange(endpoint_->port(), method + " /v2/models/m/infer" + rest),
                AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("/metrics, /livez and /readyz"),
                      HasSubstr("--grpc")));
  }
}

// Without the announced body, the answer comes all the same.
TEST_F(HttpEndpointTest, ABodyIsNotWaitedFor) {
  EXPECT_THAT(
      HttpExchange(endpoint_->port(),
                   "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n"),
      StartsWith("HTTP/1.1 404 "));
}

TEST_F(HttpEndpointTest, AnIpv6AddressIsToldToBeOne) {
  const std::pair<const char*, const char*> hosts[] = {
      {"[::1]", "expected 127.0.0.1:8002,"},
      {"[::]", "expected 0.0.0.0:8002,"},
      {"[fe80::1]", "expected an IPv4 address of this machine,"}};
  for (const auto& [host, expected] : hosts) {
    const ListenAddress address = {.host = host, .port = 8002};
    for (const absl::Status& status :
         {CheckHttpAddress(address),
          HttpEndpoint::Start(address, metrics_, health_, liveness_).status()}) {
      EXPECT_TRUE(absl::IsInvalidArgument(status));
      EXPECT_THAT(std::string(status.message()),
                  AllOf(HasSubstr(expected), HasSubstr("no IPv6"), HasSubstr(ToString(address)),
                        Not(HasSubstr("in use"))));
    }
  }
  EXPECT_TRUE(CheckHttpAddress(kAnyPort).ok());
}

TEST_F(HttpEndpointTest, AnAddressOfNoInterfaceIsNotCalledAPortInUse) {
  const auto elsewhere =
      HttpEndpoint::Start({.host = "192.0.2.1", .port = 8002}, metrics_, health_, liveness_);
  EXPECT_THAT(
      std::string(elsewhere.status().message()),
      AllOf(HasSubstr("192.0.2.1:8002: Cannot assign requested address"), HasSubstr("--http")));
}

TEST_F(HttpEndpointTest, APortInUseIsAnErrorThatNamesIt) {
  const ListenAddress taken = {.host = "127.0.0.1", .port = endpoint_->port()};
  const auto second = HttpEndpoint::Start(taken, metrics_, health_, liveness_);
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()),
              AllOf(HasSubstr(ToString(taken) + ": Address already in use"), HasSubstr("--http")));
}

}  // namespace
}  // namespace lipserve
