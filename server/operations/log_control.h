// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_OPERATIONS_LOG_CONTROL_H_
#define SERVER_OPERATIONS_LOG_CONTROL_H_

#include <atomic>
#include <cstdint>

namespace lipserve {

// What is logged.
struct LogSettings {
  bool info = true;            // what the server does
  bool warning = true;         // what an operator should look at
  bool errors = false;         // failed requests, at a bounded rate
  std::uint32_t requests = 0;  // every n-th successful request; 0: none

  friend bool operator==(const LogSettings&, const LogSettings&) = default;
};

// The log settings in force; they can change while the server runs.
//
//   LogControl control(LogSettings{});
//   control.Set({.requests = 100});  // log every 100th request
//
// Threads: all functions are safe to call from any thread. A reader during Set may see some of the
//          new settings and some of the old.
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
