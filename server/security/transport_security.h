// SPDX-License-Identifier: Apache-2.0
// TLS and client certificates: who may connect to the server, and whether others can listen.
#ifndef SERVER_SECURITY_TRANSPORT_SECURITY_H_
#define SERVER_SECURITY_TRANSPORT_SECURITY_H_

#include <grpcpp/security/server_credentials.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace lipserve {

// Paths of PEM files and of an access policy. An empty path turns that feature off.
struct SecurityFiles {
  std::string certificate;         // the server's, with its chain
  std::string private_key;         // of the certificate
  std::string client_authorities;  // if set, clients must show a certificate from one of these
  std::string access_policy;       // which client may call which method (AccessControl)
  // How often the files are polled. Changed certificates apply to new connections, a changed policy
  // to new calls.
  std::chrono::seconds refresh{60};
};

// Checks that the files that need each other are all given.
//
// Errors: InvalidArgument naming the missing flag.
absl::Status CheckSecurityFiles(const SecurityFiles& files);

// Server credentials: TLS if there is a certificate, otherwise plain text.
//
// Errors: those of CheckSecurityFiles; InvalidArgument if a file cannot be read or has the wrong
//         content, or if the key does not match the certificate.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const SecurityFiles& files);

// Whether a server that listens on `host` can be reached only from this machine.
bool IsLoopback(const std::string& host);

// A warning for the operator of a server that listens on `host`, or "".
std::string SecurityWarning(const SecurityFiles& files, const std::string& host,
                            bool loads_by_request);

}  // namespace lipserve

#endif  // SERVER_SECURITY_TRANSPORT_SECURITY_H_
