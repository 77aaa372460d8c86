// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_CONNECTION_METRICS_H_
#define SERVER_OPERATIONS_CONNECTION_METRICS_H_

#include <cstddef>
#include <memory>

namespace prometheus {
class Registry;
}  // namespace prometheus

namespace lipserve {

// Why a connection was refused.
enum class RefusedConnection {
  kLimit,        // --max-connections
  kPeerLimit,    // --max-connections-per-peer
  kDescriptors,  // the process or the system is out of file descriptors or memory
};

// The metrics of the connections to the gRPC port.
//
// Threads: all functions are safe to call from any thread.
class ConnectionMetrics {
 public:
  // Requires: `registry` outlives the object.
  explicit ConnectionMetrics(prometheus::Registry& registry);
  ~ConnectionMetrics();

  void SetLimit(std::size_t connections);
  void SetCurrent(std::size_t connections);
  void CountAccepted();
  void CountRefused(RefusedConnection reason);

 private:
  struct Series;
  std::unique_ptr<Series> series_;
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_CONNECTION_METRICS_H_
