// SPDX-License-Identifier: Apache-2.0
#include "server/operations/request_log.h"

namespace lipserve {

void RequestLog::Add(AnsweredRequest request) {
  const LogChoice choice = control_.Get();
  if (request.status.ok()) {
    if (choice.requests == 0) return;
    const std::uint64_t number = successes_.fetch_add(1, std::memory_order_relaxed);
    if (number % choice.requests == 0) write_(request);
  } else if (choice.errors) {
    const std::optional<std::uint64_t> untold = errors_.Pass();
    if (!untold.has_value()) return;
    request.untold_errors = *untold;
    write_(request);
  }
}

}  // namespace lipserve
