// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SECURITY_ACCESS_CONTROL_H_
#define SERVER_SECURITY_ACCESS_CONTROL_H_

#include <grpcpp/server_context.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "model/foundation/mutex.h"
#include "server/operations/clock.h"
#include "server/operations/file_fingerprint.h"
#include "server/operations/metrics.h"
#include "server/security/access_policy.h"

namespace lipserve {

// Checks each call against the policy in a file. The file is polled as calls come. If it becomes
// invalid or disappears, the former policy stays in force.
//
//   AccessControl access({.path = "policy.textproto"}, clock);
//   access.Read();
//   access.Check(context, RpcMethod::kClassify);
//
// Threads: all functions are safe to call from any thread.
class AccessControl {
 public:
  struct Settings {
    std::string path;  // empty: everything is allowed
    std::chrono::seconds refresh{60};
    std::function<void(const std::string&)> log = [](const std::string&) {};
  };

  // Requires: clock outlives the object.
  AccessControl(Settings settings, const Clock& clock)
      : settings_(std::move(settings)), clock_(clock) {}

  // Reads the file.
  //
  // Errors: those of AccessPolicy::Parse; InvalidArgument if the file cannot be read.
  absl::Status Read();

  // The policy in force. Reads the file again if `refresh` has passed and the file has changed.
  //
  // Requires: as Check.
  std::shared_ptr<const AccessPolicy> Current();

  // Most metadata of a call: for each entry the bytes of name and value, and 32, as RFC 7541
  // counts. Beyond it the call is refused. Beyond gRPC's own limit, kMaxHeaderBytes, gRPC closes
  // the connection with all its calls, so that one is larger.
  static constexpr std::size_t kMaxMetadataBytes = std::size_t{16} << 10;
  static constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10;

  // OK if the policy allows the call of `context`.
  //
  // Requires: there is no path, or Read was OK.
  // Errors:   InvalidArgument for too much metadata; PermissionDenied naming client and method.
  absl::Status Check(const grpc::ServerContext& context, RpcMethod method);

 private:
  absl::StatusOr<std::shared_ptr<const AccessPolicy>> ReadFile() const;

  const Settings settings_;
  const Clock& clock_;
  Mutex mutex_;
  std::shared_ptr<const AccessPolicy> policy_ ABSL_GUARDED_BY(mutex_);
  std::optional<FileFingerprint> file_ ABSL_GUARDED_BY(mutex_);
  Clock::TimePoint next_check_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_SECURITY_ACCESS_CONTROL_H_
