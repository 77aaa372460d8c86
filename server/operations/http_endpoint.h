// SPDX-License-Identifier: Apache-2.0
// GET /metrics, /livez and /readyz, for Prometheus and for orchestrators.
#ifndef SERVER_OPERATIONS_HTTP_ENDPOINT_H_
#define SERVER_OPERATIONS_HTTP_ENDPOINT_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/operations/health.h"
#include "server/operations/listen_address.h"
#include "server/operations/liveness.h"
#include "server/operations/metrics.h"

namespace lipserve {

// Whether HTTP can listen on such an address. Debian builds the HTTP library without IPv6.
//
// Errors: InvalidArgument with what to choose instead.
absl::Status CheckHttpAddress(const ListenAddress& address);

// The HTTP server. /metrics answers in Prometheus' text format 0.0.4. /livez and /readyz answer
// 200, or 503 with the reason: nothing is ready that is not alive. Any other path answers 404 with
// the list of pages. Any other method than GET and HEAD answers 405.
//
// Threads: runs threads of its own from Start to destruction.
class HttpEndpoint {
 public:
  // Requires: metrics, health and liveness outlive the endpoint.
  // Errors:   Unavailable, with the system's reason, if the address cannot be listened on; those of
  //           CheckHttpAddress.
  static absl::StatusOr<std::unique_ptr<HttpEndpoint>> Start(const ListenAddress& address,
                                                             Metrics& metrics, const Health& health,
                                                             Liveness& liveness);
  ~HttpEndpoint();
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  // The actual port, also if port 0 was asked for.
  int port() const;

 private:
  struct Impl;
  explicit HttpEndpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_HTTP_ENDPOINT_H_
