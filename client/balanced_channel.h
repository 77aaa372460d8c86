// SPDX-License-Identifier: Apache-2.0
// How calls find a server that answers them. The work is gRPC's; this file chooses its settings.
#ifndef CLIENT_BALANCED_CHANNEL_H_
#define CLIENT_BALANCED_CHANNEL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace lipserve {

// A channel that spreads calls over all servers that `target` resolves to, in turn. It leaves out
// those that cannot be reached or say that they are not serving (loading, draining), and comes back
// to them. A call that a server refuses or loses (RESOURCE_EXHAUSTED, UNAVAILABLE, CANCELLED) is
// tried up to four times, at the pace that the server asks for, as a rule at another server. When
// half of all tries fail, calls are no longer repeated, so that an overload does not feed itself.
//
// Requires: calls may be repeated. A target as ToGrpcTarget returns it.
std::shared_ptr<grpc::Channel> MakeBalancedChannel(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials);

// A channel of its own connection to the first server of `target` that can be reached, whatever it
// says of itself, for asking how it is and for loading it. Nothing is repeated.
std::shared_ptr<grpc::Channel> MakePlainChannel(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials);

}  // namespace lipserve

#endif  // CLIENT_BALANCED_CHANNEL_H_
