// SPDX-License-Identifier: Apache-2.0
#include "server/operations/request_log.h"

namespace lipserve {

void RequestLog::Add(AnsweredRequest request) {
  const LogSettings settings = control_.Get();
  if (request.status.ok()) {
    if (settings.requests == 0) return;
    const std::uint64_t number = successes_.fetch_add(1, std::memory_order_relaxed);
    if (number % settings.requests == 0) write_(request);
  } else if (settings.errors) {
    const std::optional<std::uint64_t> suppressed = errors_.TryPass();
    if (!suppressed.has_value()) return;
    request.untold_errors = *suppressed;
    write_(request);
  }
}

}  // namespace lipserve
