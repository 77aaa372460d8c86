// SPDX-License-Identifier: Apache-2.0
#include "server/operations/grpc_log.h"

#include <grpc/support/log.h>

#include <cassert>
#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "model/foundation/mutex.h"

namespace lipserve {
namespace {

constexpr std::size_t kLongestLine = 500;

// gRPC's log callback is a plain function, so the receiver is global.
struct Receiver {
  Mutex mutex;
  GrpcLog* log ABSL_GUARDED_BY(mutex) = nullptr;
};

Receiver& GlobalReceiver() {
  static Receiver* const receiver = new Receiver;  // gRPC's threads may outlive main
  return *receiver;
}

void Receive(gpr_log_func_args* line) {
  const char* const slash = std::strrchr(line->file, '/');
  Receiver& receiver = GlobalReceiver();
  MutexLock lock(receiver.mutex);
  if (receiver.log == nullptr) return;
  receiver.log->Add(absl::StrCat(slash == nullptr ? line->file : slash + 1, ":", line->line, ": ",
                                 line->message));
}

}  // namespace

GrpcLog::GrpcLog(std::function<void(const std::string&)> write, const Clock& clock)
    : write_(std::move(write)), limit_(kMaxPerSecond, clock) {
  Receiver& receiver = GlobalReceiver();
  {
    MutexLock lock(receiver.mutex);
    assert(receiver.log == nullptr);
    receiver.log = this;
  }
  gpr_set_log_function(&Receive);
}

GrpcLog::~GrpcLog() {
  gpr_set_log_function(nullptr);  // back to gRPC's own
  Receiver& receiver = GlobalReceiver();
  MutexLock lock(receiver.mutex);
  receiver.log = nullptr;
}

void GrpcLog::Add(const std::string& line) {
  const std::optional<std::uint64_t> suppressed = limit_.TryPass();
  if (!suppressed.has_value()) return;
  write_(absl::StrCat(
      "warning: gRPC: ", absl::CHexEscape(line.substr(0, kLongestLine)),
      *suppressed > 0 ? absl::StrCat(" (", *suppressed, " lines before it were not told)") : ""));
}

}  // namespace lipserve
