// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_LISTENING_SOCKETS_H_
#define SERVER_RPC_LISTENING_SOCKETS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/operations/listen_address.h"
#include "server/rpc/file_descriptor.h"

namespace lipserve {

// The sockets that listen on one address.
//
//   auto sockets = ListeningSockets::Open({.host = "127.0.0.1", .port = 0});
//   sockets->port();  // the actual port
//
// A name such as "localhost" may stand for several addresses, which get a socket each. 0.0.0.0 and
// [::] take IPv4 and IPv6 by one socket, as gRPC's own listener does.
class ListeningSockets {
 public:
  // Errors: Unavailable with the address and the reason, e.g. if the port is in use.
  static absl::StatusOr<ListeningSockets> Open(const ListenAddress& address);

  // Removes the file of a unix socket.
  ~ListeningSockets();
  ListeningSockets(ListeningSockets&& other) noexcept = default;
  ListeningSockets& operator=(ListeningSockets&&) = delete;

  const std::vector<FileDescriptor>& sockets() const { return sockets_; }
  // 0 for a unix socket.
  int port() const { return port_; }

 private:
  ListeningSockets() = default;
  absl::Status OpenUnix(const ListenAddress& address);
  absl::Status OpenTcp(const ListenAddress& address);

  std::vector<FileDescriptor> sockets_;
  int port_ = 0;
  std::string unix_path_;
};

}  // namespace lipserve

#endif  // SERVER_RPC_LISTENING_SOCKETS_H_
