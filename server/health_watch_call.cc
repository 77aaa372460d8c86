// SPDX-License-Identifier: Apache-2.0
#include "server/health_watch_call.h"

namespace lipserve {

void HealthWatchCall::Post() {
  open_events_.store(3, std::memory_order_relaxed);  // arrived, finished and done
  {
    MutexLock lock(mutex_);
    next_.reset();
    writing_ = ended_ = finishing_ = false;
  }
  writer_.reset();
  context_.emplace();
  writer_.emplace(&*context_);
  context_->AsyncNotifyWhenDone(&done_event_);
  service_.RequestWatch(&*context_, &request_, &*writer_, &queue_, &queue_, &arrived_event_);
}

void HealthWatchCall::OnArrived(bool ok) {
  if (!ok) {
    home_.Return(*this);
    return;
  }
  home_.Arrive();
  statuses_.Add(request_.service(), *this);
  bool gone = false;
  {
    MutexLock lock(mutex_);
    gone = ended_;
  }
  if (gone) statuses_.Remove(*this);  // the client left before it was added
  CloseEvent();
}

void HealthWatchCall::OnStatus(std::optional<bool> serving) {
  MutexLock lock(mutex_);
  next_ = !serving.has_value() ? Response::SERVICE_UNKNOWN
          : *serving           ? Response::SERVING
                               : Response::NOT_SERVING;
  GoOn();
}

void HealthWatchCall::OnEnd() {
  MutexLock lock(mutex_);
  ended_ = true;
  GoOn();
}

void HealthWatchCall::OnWritten(bool ok) {
  MutexLock lock(mutex_);
  writing_ = false;
  if (!ok) {  // the client has gone
    next_.reset();
    ended_ = true;
  }
  GoOn();
}

void HealthWatchCall::OnDone(bool /*ok*/) {
  {
    MutexLock lock(mutex_);
    next_.reset();
    ended_ = true;
    GoOn();
  }
  statuses_.Remove(*this);
  CloseEvent();
}

void HealthWatchCall::GoOn() {
  if (writing_ || finishing_) return;
  if (next_.has_value()) {
    writing_ = true;
    response_.set_status(*next_);
    next_.reset();
    writer_->Write(response_, &written_event_);
  } else if (ended_) {
    finishing_ = true;
    writer_->Finish({grpc::StatusCode::UNAVAILABLE, "the server is draining"}, &finished_event_);
  }
}

void HealthWatchCall::CloseEvent() {
  if (open_events_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  writer_.reset();  // these keep the connection open, also when the client has gone
  context_.reset();
  home_.Return(*this);
}

}  // namespace lipserve
