// SPDX-License-Identifier: Apache-2.0
// A connection that a test writes bytes to, where a gRPC client would be too well behaved.
#ifndef TESTS_SERVER_RAW_CONNECTION_H_
#define TESTS_SERVER_RAW_CONNECTION_H_

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "server/rpc/file_descriptor.h"

namespace lipserve {

// What every HTTP/2 client says first: the preface and empty SETTINGS.
inline const std::string kHttp2Preface =
    std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\4\0\0\0\0\0", 9);

class RawConnection {
 public:
  // From `source`, an address of loopback, to `port` of 127.0.0.1.
  explicit RawConnection(int port, const char* source = "127.0.0.1")
      : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, source, &address.sin_addr);
    ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    connected_ =
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool Send(const std::string& bytes) {
    return connected_ && ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                             static_cast<ssize_t>(bytes.size());
  }

  // Waits for bytes, or for the end. Returns whether the server has sent something.
  bool Hears() {
    char byte = 0;
    return connected_ && ::recv(socket_.get(), &byte, 1, 0) == 1;
  }

  // Whether the server keeps the connection: it sends its SETTINGS.
  bool IsKept() { return Send(kHttp2Preface) && Hears(); }

 private:
  FileDescriptor socket_;
  bool connected_ = false;
};

}  // namespace lipserve

#endif  // TESTS_SERVER_RAW_CONNECTION_H_
