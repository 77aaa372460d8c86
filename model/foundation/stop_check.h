// SPDX-License-Identifier: Apache-2.0
#ifndef MODEL_FOUNDATION_STOP_CHECK_H_
#define MODEL_FOUNDATION_STOP_CHECK_H_

#include <functional>
#include <utility>

namespace lipserve {

// Whether a long computation should stop, e.g. because its deadline has passed. Once it should, it
// should for ever, whatever the function says then.
//
//   const StopCheck stop([&] { return clock.Now() >= deadline; });
//   while (!stop()) DoSome();
//
// Threads: one at a time.
class StopCheck {
 public:
  // Never stops.
  StopCheck() = default;
  explicit StopCheck(std::function<bool()> should_stop) : should_stop_(std::move(should_stop)) {}

  bool operator()() const {
    if (!stopped_ && should_stop_) stopped_ = should_stop_();
    return stopped_;
  }

 private:
  std::function<bool()> should_stop_;
  mutable bool stopped_ = false;
};

}  // namespace lipserve

#endif  // MODEL_FOUNDATION_STOP_CHECK_H_
