// SPDX-License-Identifier: Apache-2.0
#ifndef CLIENT_CHANNEL_SECURITY_H_
#define CLIENT_CHANNEL_SECURITY_H_

#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace lipserve {

// Paths of PEM files. All empty: without TLS.
struct ClientSecurityFiles {
  std::string server_authorities;  // who may have signed the server's certificate
  std::string certificate;         // the client's, for servers that ask for one; with private_key
  std::string private_key;
};

// Errors: InvalidArgument if a file that another needs is missing; NotFound if one cannot be read.
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const ClientSecurityFiles& files);

}  // namespace lipserve

#endif  // CLIENT_CHANNEL_SECURITY_H_
