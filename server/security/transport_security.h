// SPDX-License-Identifier: Apache-2.0
// Who may talk to the server, and whether others can listen: TLS and client certificates.
#ifndef SERVER_SECURITY_TRANSPORT_SECURITY_H_
#define SERVER_SECURITY_TRANSPORT_SECURITY_H_

#include <grpcpp/security/server_credentials.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace lipserve {

// Paths of PEM files and of an access policy. An empty path: without it.
struct SecurityFiles {
  std::string certificate;         // the server's, followed by those that vouch for it
  std::string private_key;         // of the certificate
  std::string client_authorities;  // clients must then show a certificate from one of these
  std::string access_policy;       // which client may call what (AccessControl)
  // The files are looked at again so often, and what has changed holds for new connections; a
  // policy, for new calls.
  std::chrono::seconds refresh{60};
};

// Errors: InvalidArgument naming the flag that is missing beside the others.
absl::Status CheckSecurityFiles(const SecurityFiles& files);

// Credentials with TLS if there is a certificate, else without.
//
// Errors: those of CheckSecurityFiles; InvalidArgument if a file cannot be read or is not what it
//         should be, or if the key is not that of the certificate.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const SecurityFiles& files);

// Whether only this machine can reach a server that listens on `host`.
bool IsLoopback(const std::string& host);

// What an operator should know of a server that listens on `host`: a warning, or "".
std::string SecurityWarning(const SecurityFiles& files, const std::string& host,
                            bool loads_by_request);

}  // namespace lipserve

#endif  // SERVER_SECURITY_TRANSPORT_SECURITY_H_
