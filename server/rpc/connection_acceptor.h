// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_CONNECTION_ACCEPTOR_H_
#define SERVER_RPC_CONNECTION_ACCEPTOR_H_

#include <grpcpp/server_builder.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "absl/status/status.h"
#include "model/foundation/mutex.h"
#include "server/operations/clock.h"
#include "server/operations/connection_metrics.h"
#include "server/operations/rate_limit.h"
#include "server/rpc/connection_count.h"
#include "server/rpc/file_descriptor.h"
#include "server/rpc/listening_sockets.h"

namespace lipserve {

// Accepts connections and gives them to gRPC.
//
//   auto sockets = ListeningSockets::Open(address);
//   grpc::ServerBuilder builder;
//   auto receiver = builder.experimental().AddExternalConnectionAcceptor(FROM_FD, credentials);
//   auto server = builder.BuildAndStart();
//   ConnectionAcceptor acceptor(settings, *std::move(sockets), std::move(receiver), ...);
//   acceptor.Start();
//
// gRPC 1.51's own listener is deaf for good once the process is out of descriptors. This one goes
// on when there are some again, and it limits the number of connections.
//
// A refused connection is closed without a word. A gRPC client that gets a GOAWAY frame instead
// connects again at once, thousands of times a second; after a plain close it backs off.
//
// It keeps a second descriptor of each connection, because that tells when gRPC or the peer has
// closed it.
//
// Threads: runs one of its own from Start to destruction; CheckAnswers is safe to call from any.
class ConnectionAcceptor {
 public:
  // Descriptors that one connection takes: gRPC's, and the acceptor's.
  static constexpr std::size_t kDescriptorsPerConnection = 2;

  struct Settings {
    ConnectionLimits limits;
    std::function<void(const std::string&)> log;
  };

  using Receiver = grpc::experimental::ExternalConnectionAcceptor;

  // Requires: `metrics` and `clock` outlive the object.
  ConnectionAcceptor(Settings settings, ListeningSockets sockets,
                     std::unique_ptr<Receiver> receiver, ConnectionMetrics& metrics,
                     const Clock& clock);

  // Stops to listen. Connections that gRPC has stay open.
  ~ConnectionAcceptor();
  ConnectionAcceptor(const ConnectionAcceptor&) = delete;
  ConnectionAcceptor& operator=(const ConnectionAcceptor&) = delete;

  // Begins to accept connections.
  //
  // Requires: the gRPC server runs, until this object is destroyed.
  // Errors:   ResourceExhausted if the system gives no descriptor for that.
  absl::Status Start();

  // Whether the thread that accepts connections still works. Waits for at most `timeout`.
  //
  // Errors: DeadlineExceeded.
  absl::Status CheckAnswers(std::chrono::milliseconds timeout);

 private:
  struct Connection {
    FileDescriptor descriptor;
    std::string peer;
  };

  void Run();
  void AnswerCheck();
  bool Watch(int descriptor, std::uint32_t events);
  // Returns false if the process is out of descriptors.
  bool AcceptAll(int listener);
  void Keep(FileDescriptor socket, std::string peer);
  void Refuse(const std::string& peer, RefusedConnection reason);
  void Forget(int descriptor);
  void Wake() const;

  const Settings settings_;
  const ListeningSockets sockets_;
  const std::unique_ptr<Receiver> receiver_;
  ConnectionMetrics& metrics_;
  RateLimit log_limit_;
  FileDescriptor epoll_;
  FileDescriptor wake_;

  // Of the thread.
  FileDescriptor spare_;  // becomes the second one of the next connection
  ConnectionCount count_;
  std::unordered_map<int, Connection> connections_;  // by the second descriptor

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::uint64_t checks_asked_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t checks_answered_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace lipserve

#endif  // SERVER_RPC_CONNECTION_ACCEPTOR_H_
