// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_GRPC_LOG_H_
#define SERVER_OPERATIONS_GRPC_LOG_H_

#include <cstdint>
#include <functional>
#include <string>

#include "server/operations/clock.h"
#include "server/operations/rate_limit.h"

namespace lipserve {

// Takes the lines that gRPC itself writes, of which a hostile client causes as many as it likes,
// one for each TLS handshake that fails: a bounded number a second goes on, as warnings.
//
// Threads: `write` is called by any thread.
class GrpcLog {
 public:
  static constexpr std::uint32_t kMaxPerSecond = 10;

  // gRPC has one log per process, and its lines come here while the object lives.
  //
  // Requires: clock outlives the object; there is no other one.
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
