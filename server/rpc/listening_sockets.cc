// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/listening_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"

namespace lipserve {
namespace {

// A peer that acknowledges nothing for this long, or keeps its window closed, is disconnected.
constexpr int kUnacknowledgedMs = 20'000;

struct FreeAddresses {
  void operator()(addrinfo* addresses) const { ::freeaddrinfo(addresses); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

absl::Status CannotListen(const ListenAddress& address, absl::string_view why) {
  return absl::UnavailableError(absl::StrCat("gRPC: cannot listen on ", ToString(address), ": ",
                                             why, "; choose another address with --grpc"));
}

absl::Status CannotListen(const ListenAddress& address, int error) {
  return CannotListen(address, std::strerror(error));  // NOLINT(concurrency-mt-unsafe): glibc's is
}

bool IsWildcard(const std::string& host) { return host == "0.0.0.0" || host == "[::]"; }

// The addresses to bind. A wildcard gives [::], which takes IPv4 too, and 0.0.0.0 for kernels
// without IPv6.
absl::StatusOr<Addresses> Resolve(const ListenAddress& address) {
  const bool bracketed = address.host.front() == '[';
  const std::string host =
      bracketed ? address.host.substr(1, address.host.size() - 2) : address.host;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(IsWildcard(address.host) ? nullptr : host.c_str(),
                                  absl::StrCat(address.port).c_str(), &hints, &found);
  if (error != 0) return CannotListen(address, ::gai_strerror(error));
  return Addresses(found);
}

int PortOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

void SetPort(sockaddr_storage& address, int port) {
  const in_port_t number = htons(static_cast<in_port_t>(port));
  if (address.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = number;
  } else {
    reinterpret_cast<sockaddr_in&>(address).sin_port = number;
  }
}

void SetOption(const FileDescriptor& socket, int level, int name, int value) {
  ::setsockopt(socket.get(), level, name, &value, sizeof(value));
}

// Connections inherit the options of TCP.
bool BindAndListen(const FileDescriptor& socket, const sockaddr* address, socklen_t size) {
  return socket.get() >= 0 && ::bind(socket.get(), address, size) == 0 &&
         ::listen(socket.get(), SOMAXCONN) == 0;
}

FileDescriptor NewSocket(int family) {
  return FileDescriptor(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

bool IsMappedIpv4(const sockaddr_storage& address) {
  return address.ss_family == AF_INET6 &&
         IN6_IS_ADDR_V4MAPPED(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

FileDescriptor ListenTcp(sockaddr_storage address, socklen_t size, bool takes_ipv4, int& port) {
  FileDescriptor socket = NewSocket(address.ss_family);
  if (!socket.is_open()) return socket;
  SetOption(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledgedMs);
  if (address.ss_family == AF_INET6) {
    SetOption(socket, IPPROTO_IPV6, IPV6_V6ONLY, takes_ipv4 ? 0 : 1);
  }
  if (port != 0) SetPort(address, port);
  if (!BindAndListen(socket, reinterpret_cast<const sockaddr*>(&address), size)) return {};
  socklen_t actual_size = sizeof(address);
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &actual_size);
  port = PortOf(address);
  return socket;
}

// Whether the machine has no such address, so that others of the same name may do.
bool IsAbsent(int error) { return error == EAFNOSUPPORT || error == EADDRNOTAVAIL; }

// Whether `address` is the file of a socket on which nobody listens: its server was killed.
bool IsStale(const sockaddr_un& address) {
  struct stat file {};
  // To connect to any other file fails in the same way.
  if (::stat(address.sun_path, &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const FileDescriptor probe = NewSocket(AF_UNIX);
  return probe.get() >= 0 &&
         ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
             0 &&
         errno == ECONNREFUSED;
}

}  // namespace

absl::StatusOr<ListeningSockets> ListeningSockets::Open(const ListenAddress& address) {
  ListeningSockets sockets;
  LIPSERVE_RETURN_IF_ERROR(IsUnixSocket(address) ? sockets.OpenUnix(address)
                                                 : sockets.OpenTcp(address));
  return sockets;
}

absl::Status ListeningSockets::OpenTcp(const ListenAddress& address) {
  LIPSERVE_ASSIGN_OR_RETURN(const Addresses addresses, Resolve(address));
  const bool wildcard = IsWildcard(address.host);
  int error = EADDRNOTAVAIL;
  for (const int family : {AF_INET6, AF_INET}) {
    if (wildcard && !sockets_.empty()) break;  // IPv6's socket takes IPv4 too
    for (const addrinfo* next = addresses.get(); next != nullptr; next = next->ai_next) {
      if (next->ai_family != family) continue;
      sockaddr_storage storage{};
      std::memcpy(&storage, next->ai_addr, next->ai_addrlen);
      FileDescriptor socket =
          ListenTcp(storage, next->ai_addrlen, wildcard || IsMappedIpv4(storage), port_);
      if (socket.is_open()) {
        sockets_.push_back(std::move(socket));
        continue;
      }
      error = errno;
      if (!IsAbsent(error)) return CannotListen(address, error);
    }
  }
  return sockets_.empty() ? CannotListen(address, error) : absl::OkStatus();
}

absl::Status ListeningSockets::OpenUnix(const ListenAddress& address) {
  const std::string path = UnixPath(address);
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  if (path.size() >= sizeof(local.sun_path)) return CannotListen(address, ENAMETOOLONG);
  std::memcpy(local.sun_path, path.c_str(), path.size() + 1);
  const auto* const any = reinterpret_cast<const sockaddr*>(&local);
  FileDescriptor socket = NewSocket(AF_UNIX);
  bool listens = BindAndListen(socket, any, sizeof(local));
  int error = errno;
  if (!listens && error == EADDRINUSE && IsStale(local)) {
    ::unlink(path.c_str());
    listens = BindAndListen(socket, any, sizeof(local));
    error = errno;
  }
  if (!listens) return CannotListen(address, error);
  sockets_.push_back(std::move(socket));
  unix_path_ = path;
  return absl::OkStatus();
}

ListeningSockets::~ListeningSockets() {
  if (!sockets_.empty() && !unix_path_.empty()) ::unlink(unix_path_.c_str());
}

}  // namespace lipserve
