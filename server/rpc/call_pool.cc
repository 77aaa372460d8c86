// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/call_pool.h"

#include <cassert>

namespace lipserve {

CallPool::~CallPool() {
  MutexLock lock(mutex_);
  assert(idle_.size() == calls_.size());
}

void CallPool::Post(std::size_t count) {
  MutexLock lock(mutex_);
  for (std::size_t i = 0; i < count; ++i) PostOne();
}

void CallPool::PostOne() {
  if (stopped_) return;
  if (idle_.empty()) {
    calls_.push_back(factory_(*this));
    idle_.reserve(calls_.capacity());
    idle_.push_back(calls_.back().get());
  }
  PooledCall* const call = idle_.back();
  idle_.pop_back();
  call->Post();
}

void CallPool::Replenish() {
  if (arrived_.load(std::memory_order_relaxed) == 0) return;
  Post(arrived_.exchange(0, std::memory_order_relaxed));
}

void CallPool::Return(PooledCall& call) {
  MutexLock lock(mutex_);
  idle_.push_back(&call);
  if (stopped_ && idle_.size() == calls_.size()) returned_.NotifyAll();
}

void CallPool::StopPosting() {
  MutexLock lock(mutex_);
  stopped_ = true;
}

void CallPool::WaitUntilAllReturned() {
  MutexLock lock(mutex_);
  assert(stopped_);
  while (idle_.size() != calls_.size()) returned_.Wait(mutex_);
}

}  // namespace lipserve
