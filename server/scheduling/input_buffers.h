// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_INPUT_BUFFERS_H_
#define SERVER_SCHEDULING_INPUT_BUFFERS_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "model/foundation/mutex.h"

namespace lipserve {

// A pool of buffers for the inputs of large requests.
//
//   std::vector<float> buffer = buffers.Take();
//   buffers.Return(std::move(buffer));
//
// Idle calls hold no buffer, and busy ones reuse warm memory: fresh memory costs a page fault for
// each 4 KiB.
//
// Threads: all functions are safe to call from any thread.
class InputBuffers {
 public:
  // Keeps idle buffers of at most `max_floats` floats in total, and frees any beyond that.
  explicit InputBuffers(std::size_t max_floats) : max_floats_(max_floats) {}

  // Returns the most recently returned buffer, with its old content, or an empty one.
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
  std::size_t idle_floats_ ABSL_GUARDED_BY(mutex_) = 0;  // total capacity of idle_
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_INPUT_BUFFERS_H_
