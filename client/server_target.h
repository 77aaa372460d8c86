// SPDX-License-Identifier: Apache-2.0
#ifndef CLIENT_SERVER_TARGET_H_
#define CLIENT_SERVER_TARGET_H_

#include <string>

#include "absl/status/statusor.h"

namespace lipserve {

// Converts the servers that a user names to a gRPC target:
//
//   host:port                  as it is: every address that the name resolves to
//   dns:///host:port, unix:..  as it is: any target that gRPC knows
//   IP:port,IP:port,...        ipv4:... or ipv6:..., a list of servers
//
// Errors: InvalidArgument for a list that contains anything but IP addresses with a port, or both
//         IPv4 and IPv6: gRPC resolves one name, not a list of names.
absl::StatusOr<std::string> ToGrpcTarget(const std::string& servers);

}  // namespace lipserve

#endif  // CLIENT_SERVER_TARGET_H_
