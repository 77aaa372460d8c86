// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_INPUT_BUFFERS_H_
#define SERVER_SCHEDULING_INPUT_BUFFERS_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "model/foundation/mutex.h"

namespace lipserve {

// Memory for the inputs of large requests, lent to one after the other. Calls that are idle then
// hold none, and what is busy has memory that is warm: fresh one costs a page fault for each 4 KiB.
//
// Threads: all functions are safe to call from any thread.
class InputBuffers {
 public:
  // Keeps buffers for `max_floats` in all; what is returned beyond that is freed.
  explicit InputBuffers(std::size_t max_floats) : max_floats_(max_floats) {}

  // The buffer that was returned last, with what is in it, or an empty one.
  std::vector<float> Take() {
    MutexLock lock(mutex_);
    if (idle_.empty()) return {};
    std::vector<float> buffer = std::move(idle_.back());
    idle_.pop_back();
    idle_floats_ -= buffer.capacity();
    return buffer;
  }

  void Return(std::vector<float> buffer) {
    MutexLock lock(mutex_);
    if (idle_floats_ + buffer.capacity() > max_floats_) return;
    idle_floats_ += buffer.capacity();
    idle_.push_back(std::move(buffer));
  }

 private:
  const std::size_t max_floats_;
  Mutex mutex_;
  std::vector<std::vector<float>> idle_ ABSL_GUARDED_BY(mutex_);
  std::size_t idle_floats_ ABSL_GUARDED_BY(mutex_) = 0;  // room in all that are idle
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_INPUT_BUFFERS_H_
