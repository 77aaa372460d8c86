// SPDX-License-Identifier: Apache-2.0
// Channels to one or several servers. gRPC does the balancing; this file chooses its settings.
#ifndef CLIENT_BALANCED_CHANNEL_H_
#define CLIENT_BALANCED_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace lipserve {

// A round-robin channel over all servers that `target` resolves to. It skips servers that are
// unreachable or report that they are not serving (loading, draining), and uses them again when
// they recover. A call that a server refuses or loses (RESOURCE_EXHAUSTED, UNAVAILABLE, CANCELLED)
// is attempted up to four times, as a rule at another server. The delay between attempts is the one
// that the server asks for. When half of all attempts fail, retries stop, so that they do not add
// to an overload.
//
// Requires: calls are idempotent; a target as ToGrpcTarget returns it.
std::shared_ptr<grpc::Channel> MakeBalancedChannel(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials);

// A channel with a connection of its own to the first reachable server of `target`, whatever health
// it reports. For health checks and load tests. It never retries.
std::shared_ptr<grpc::Channel> MakePlainChannel(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials);

}  // namespace lipserve

#endif  // CLIENT_BALANCED_CHANNEL_H_
