// SPDX-License-Identifier: Apache-2.0
#ifndef CLIENT_CONNECTION_HINT_H_
#define CLIENT_CONNECTION_HINT_H_

#include <string>

namespace lipserve {

// What probably stands behind gRPC's message about a connection that failed, as the end of an error
// message, "; ..."; "" if nothing more can be said. No hint lowers security: none says to leave TLS
// out.
std::string ConnectionHint(const std::string& message);

}  // namespace lipserve

#endif  // CLIENT_CONNECTION_HINT_H_
