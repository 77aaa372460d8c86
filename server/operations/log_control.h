// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_LOG_CONTROL_H_
#define SERVER_OPERATIONS_LOG_CONTROL_H_

#include <atomic>
#include <cstdint>

namespace lipserve {

// What the log tells of.
struct LogSettings {
  bool info = true;            // what the server does
  bool warning = true;         // what somebody should look at
  bool errors = false;         // requests that failed, a bounded number a second
  std::uint32_t requests = 0;  // of those that went well, each so-many-th; 0: none

  friend bool operator==(const LogSettings&, const LogSettings&) = default;
};

// What the log tells of at the moment.
//
// Threads: all functions are safe to call from any thread. Who reads while another sets may see
//          some of the new settings and some of the old.
class LogControl {
 public:
  explicit LogControl(const LogSettings& settings) { Set(settings); }

  void Set(const LogSettings& settings) {
    info_.store(settings.info, std::memory_order_relaxed);
    warning_.store(settings.warning, std::memory_order_relaxed);
    errors_.store(settings.errors, std::memory_order_relaxed);
    requests_.store(settings.requests, std::memory_order_relaxed);
  }

  LogSettings Get() const {
    return {.info = info_.load(std::memory_order_relaxed),
            .warning = warning_.load(std::memory_order_relaxed),
            .errors = errors_.load(std::memory_order_relaxed),
            .requests = requests_.load(std::memory_order_relaxed)};
  }

 private:
  std::atomic<bool> info_;
  std::atomic<bool> warning_;
  std::atomic<bool> errors_;
  std::atomic<std::uint32_t> requests_;
};

}  // namespace lipserve

#endif  // SERVER_OPERATIONS_LOG_CONTROL_H_
