// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/async_call.h"

namespace lipserve {

void AsyncCall::Post() {
  cancelled_.store(false, std::memory_order_relaxed);
  pending_events_.store(3, std::memory_order_relaxed);  // arrived, finished and done
  context_.emplace();
  context_->AsyncNotifyWhenDone(&done_);
  RequestNext(*context_, &arrived_);
}

void* AsyncCall::FinishTag() {
  // Pairs with CompleteEvent: the thread that completes the last event sees this thread's writes.
  pending_events_.fetch_add(0, std::memory_order_release);
  return &finished_;
}

void AsyncCall::HandleArrived(bool ok) {
  if (!ok) {
    // The gRPC server shut down before an RPC arrived, so no other event follows.
    pool_.Return(*this);
    return;
  }
  pool_.CountArrival();
  OnArrived();
  CompleteEvent();
}

void AsyncCall::HandleDone(bool /*ok*/) {
  if (context_->IsCancelled()) cancelled_.store(true, std::memory_order_release);
  OnDone();
  CompleteEvent();
}

void AsyncCall::CompleteEvent() {
  if (pending_events_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  Release();
  context_.reset();
  pool_.Return(*this);
}

}  // namespace lipserve
