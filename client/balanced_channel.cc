// SPDX-License-Identifier: Apache-2.0
#include "client/balanced_channel.h"

namespace lipserve {
namespace {

// This client cancels nothing: CANCELLED comes from a gRPC server that shut down while the call was
// on its way. The tokens are gRPC's retry throttling: a failed attempt costs one, an answered call
// earns half a token, and below half of the tokens gRPC does not retry. 1000 is the largest number
// that gRPC allows, so that many calls may lose their server at once.
constexpr char kServiceConfig[] = R"({
  "loadBalancingConfig": [{"round_robin": {}}],
  "healthCheckConfig": {"serviceName": ""},
  "retryThrottling": {"maxTokens": 1000, "tokenRatio": 0.5},
  "methodConfig": [{
    "name": [{"service": "lipserve.v1.ClassifierService"}],
    "retryPolicy": {
      "maxAttempts": 4, "initialBackoff": "0.02s", "maxBackoff": "1s", "backoffMultiplier": 2,
      "retryableStatusCodes": ["RESOURCE_EXHAUSTED", "UNAVAILABLE", "CANCELLED"]
    }
  }]
})";

constexpr int kKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kFirstReconnectMs = 200;
// With gRPC's default of two minutes, a server that came back would get no calls for that long.
constexpr int kSlowestReconnectMs = 5'000;

grpc::ChannelArguments ConnectionArguments() {
  grpc::ChannelArguments arguments;
  // http_proxy in the environment is for web pages; it would intercept calls to loopback.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Detects a server that vanished without closing its connection, also between calls.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kSlowestReconnectMs);
  return arguments;
}

}  // namespace

std::shared_ptr<grpc::Channel> MakeBalancedChannel(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments = ConnectionArguments();
  arguments.SetServiceConfigJSON(kServiceConfig);
  // A name server's own idea of a service config must not replace this one.
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return grpc::CreateCustomChannel(target, credentials, arguments);
}

std::shared_ptr<grpc::Channel> MakePlainChannel(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments = ConnectionArguments();
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(target, credentials, arguments);
}

}  // namespace lipserve
