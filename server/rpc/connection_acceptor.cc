// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/connection_acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lipserve {
namespace {

constexpr std::uint32_t kLogLinesPerSecond = 1;
constexpr int kMaxEvents = 256;
// Connections that are accepted in a row before closed ones are looked at.
constexpr int kMaxAccepted = 64;
// Pause when the process is out of descriptors.
constexpr int kPauseMs = 10;

bool IsOutOfResources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

std::string Reason(RefusedConnection reason, const ConnectionLimits& limits) {
  switch (reason) {
    case RefusedConnection::kLimit:
      return absl::StrCat("the server has as many connections as it may have, ", limits.total,
                          " (--max-connections); use fewer, or another server");
    case RefusedConnection::kPeerLimit:
      return absl::StrCat("this machine has as many connections as it may have, ", limits.per_peer,
                          " (--max-connections-per-peer); share one among its calls");
    case RefusedConnection::kDescriptors:
      return "the server is out of file descriptors; try again later";
  }
  return "";
}

}  // namespace

ConnectionAcceptor::ConnectionAcceptor(Settings settings, ListeningSockets sockets,
                                       std::unique_ptr<Receiver> receiver,
                                       ConnectionMetrics& metrics, const Clock& clock)
    : settings_(std::move(settings)),
      sockets_(std::move(sockets)),
      receiver_(std::move(receiver)),
      metrics_(metrics),
      log_limit_(kLogLinesPerSecond, clock),
      count_(settings_.limits) {
  metrics_.SetLimit(settings_.limits.total);
}

absl::Status ConnectionAcceptor::Start() {
  epoll_ = FileDescriptor(::epoll_create1(EPOLL_CLOEXEC));
  wake_ = FileDescriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  bool watching = Watch(wake_.get(), EPOLLIN);
  for (const FileDescriptor& socket : sockets_.sockets()) {
    watching = watching && Watch(socket.get(), EPOLLIN);
  }
  if (!watching) {
    return absl::ResourceExhaustedError(
        "gRPC: expected a file descriptor to wait for connections with, got none; raise the limit "
        "(ulimit -n)");
  }
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

ConnectionAcceptor::~ConnectionAcceptor() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
}

absl::Status ConnectionAcceptor::CheckAnswers(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  MutexLock lock(mutex_);
  const std::uint64_t check = ++checks_asked_;
  Wake();
  while (checks_answered_ < check) {
    if (!changed_.WaitUntil(mutex_, deadline) && checks_answered_ < check) {
      return absl::DeadlineExceededError(
          absl::StrCat("no connection can be accepted: no sign of life of the thread that accepts "
                       "them for ",
                       timeout.count(), " ms"));
    }
  }
  return absl::OkStatus();
}

void ConnectionAcceptor::Wake() const { ::eventfd_write(wake_.get(), 1); }

bool ConnectionAcceptor::Watch(int descriptor, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = descriptor;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void ConnectionAcceptor::Run() {
  std::array<epoll_event, kMaxEvents> events{};
  while (true) {
    const int ready = ::epoll_wait(epoll_.get(), events.data(), kMaxEvents, -1);
    bool has_descriptors = true;
    for (int i = 0; i < ready; ++i) {
      const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
      if (descriptor == wake_.get()) {
        AnswerCheck();
      } else if (connections_.contains(descriptor)) {
        Forget(descriptor);
      } else {
        has_descriptors = AcceptAll(descriptor) && has_descriptors;
      }
    }
    metrics_.SetCurrent(count_.current());
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
    }
    if (!has_descriptors) {
      // The listener stays ready, so that epoll_wait would return at once, again and again.
      metrics_.CountRefused(RefusedConnection::kDescriptors);
      pollfd wake{.fd = wake_.get(), .events = POLLIN, .revents = 0};
      ::poll(&wake, 1, kPauseMs);
    }
  }
}

void ConnectionAcceptor::AnswerCheck() {
  eventfd_t ignored = 0;
  ::eventfd_read(wake_.get(), &ignored);
  MutexLock lock(mutex_);
  checks_answered_ = checks_asked_;
  changed_.NotifyAll();
}

bool ConnectionAcceptor::AcceptAll(int listener) {
  for (int i = 0; i < kMaxAccepted; ++i) {
    // The second descriptor comes first: a connection without one would have to be closed, while
    // one that is not accepted can wait.
    if (!spare_.is_open()) spare_ = FileDescriptor(::fcntl(wake_.get(), F_DUPFD_CLOEXEC, 0));
    if (!spare_.is_open()) return false;
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    FileDescriptor socket(::accept4(listener, reinterpret_cast<sockaddr*>(&address), &size,
                                    SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.is_open()) return !IsOutOfResources(errno);
    Keep(std::move(socket), PeerOf(address));
  }
  return true;
}

void ConnectionAcceptor::Keep(FileDescriptor socket, std::string peer) {
  switch (count_.TryAdd(peer)) {
    case ConnectionCount::Outcome::kAdded:
      break;
    case ConnectionCount::Outcome::kTotalReached:
      return Refuse(peer, RefusedConnection::kLimit);
    case ConnectionCount::Outcome::kPeerReached:
      return Refuse(peer, RefusedConnection::kPeerLimit);
  }
  // Without events of its own, epoll reports when both directions are closed, and errors.
  const int second = ::dup3(socket.get(), spare_.get(), O_CLOEXEC);
  if (second < 0 || !Watch(second, 0)) {
    count_.Remove(peer);
    spare_ = FileDescriptor();
    return Refuse(peer, RefusedConnection::kDescriptors);
  }
  connections_.emplace(
      second, Connection{.descriptor = FileDescriptor(spare_.Release()), .peer = std::move(peer)});
  metrics_.CountAccepted();
  Receiver::NewConnectionParameters connection;
  connection.fd = socket.Release();
  receiver_->HandleNewConnection(&connection);
}

void ConnectionAcceptor::Refuse(const std::string& peer, RefusedConnection reason) {
  metrics_.CountRefused(reason);
  if (const auto suppressed = log_limit_.TryPass()) {
    settings_.log(absl::StrCat(
        "warning: refused a connection from ", PeerText(peer), ": ",
        Reason(reason, settings_.limits),
        *suppressed > 0 ? absl::StrCat(" (", *suppressed, " before it were not told)") : ""));
  }
}

void ConnectionAcceptor::Forget(int descriptor) {
  const auto found = connections_.find(descriptor);
  count_.Remove(found->second.peer);
  // To close it would not end its watch: gRPC's descriptor may still be open.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
  connections_.erase(found);
}

}  // namespace lipserve
