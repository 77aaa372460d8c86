// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_GRPC_LOG_H_
#define SERVER_OPERATIONS_GRPC_LOG_H_

#include <cstdint>
#include <functional>
#include <string>

#include "server/operations/clock.h"
#include "server/operations/rate_limit.h"

namespace lipserve {

// Receives gRPC's own log lines and passes on at most kMaxPerSecond of them, as warnings. Without a
// limit a hostile client could flood the log: each failed TLS handshake is a line.
//
//   const GrpcLog grpc_log([](const std::string& line) { std::cerr << line << "\n"; }, clock);
//
// Threads: `write` is called by any thread.
class GrpcLog {
 public:
  static constexpr std::uint32_t kMaxPerSecond = 10;

  // Takes over gRPC's log, of which there is one per process, for the lifetime of the object.
  //
  // Requires: clock outlives the object; there is no other GrpcLog.
  GrpcLog(std::function<void(const std::string&)> write, const Clock& clock);
  ~GrpcLog();
  GrpcLog(const GrpcLog&) = delete;
  GrpcLog& operator=(const GrpcLog&) = delete;

  void Add(const std::string& line);

 private:
  const std::function<void(const std::string&)> write_;
  RateLimit limit_;
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_GRPC_LOG_H_
