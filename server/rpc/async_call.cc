// SPDX-License-Identifier: Apache-2.0
#include "server/rpc/async_call.h"

namespace lipserve {

void AsyncCall::Post() {
  cancelled_.store(false, std::memory_order_relaxed);
  open_events_.store(3, std::memory_order_relaxed);  // arrived, finished and done
  context_.emplace();
  context_->AsyncNotifyWhenDone(&done_);
  Await(*context_, &arrived_);
}

void* AsyncCall::FinishTag() {
  // Pairs with CloseEvent: whoever ends the call sees what this thread has written.
  open_events_.fetch_add(0, std::memory_order_release);
  return &finished_;
}

void AsyncCall::HandleArrived(bool ok) {
  if (!ok) {
    // The server shuts down: no RPC arrived, so no other event follows.
    home_.Return(*this);
    return;
  }
  home_.Arrive();
  OnArrived();
  CloseEvent();
}

void AsyncCall::HandleDone(bool /*ok*/) {
  if (context_->IsCancelled()) cancelled_.store(true, std::memory_order_release);
  OnDone();
  CloseEvent();
}

void AsyncCall::CloseEvent() {
  if (open_events_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  Release();
  context_.reset();
  home_.Return(*this);
}

}  // namespace lipserve
