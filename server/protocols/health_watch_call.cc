// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/health_watch_call.h"

namespace lipserve {

void HealthWatchCall::RequestNext(grpc::ServerContext& context, void* arrived) {
  {
    MutexLock lock(mutex_);
    next_.reset();
    writing_ = ended_ = finishing_ = false;
  }
  writer_.emplace(&context);
  service_.RequestWatch(&context, &request_, &*writer_, &queue_, &queue_, arrived);
}

void HealthWatchCall::OnArrived() {
  statuses_.Add(request_.service(), *this);
  bool ended = false;
  {
    MutexLock lock(mutex_);
    ended = ended_;
  }
  if (ended) statuses_.Remove(*this);  // the client cancelled before the watcher was added
}

void HealthWatchCall::OnStatus(std::optional<bool> serving) {
  MutexLock lock(mutex_);
  next_ = !serving.has_value() ? Response::SERVICE_UNKNOWN
          : *serving           ? Response::SERVING
                               : Response::NOT_SERVING;
  StartOperations();
}

void HealthWatchCall::OnEnd() {
  MutexLock lock(mutex_);
  ended_ = true;
  StartOperations();
}

void HealthWatchCall::OnWritten(bool ok) {
  MutexLock lock(mutex_);
  writing_ = false;
  if (!ok) {  // the client disconnected
    next_.reset();
    ended_ = true;
  }
  StartOperations();
}

void HealthWatchCall::OnDone() {
  {
    MutexLock lock(mutex_);
    next_.reset();
    ended_ = true;
    StartOperations();
  }
  statuses_.Remove(*this);
}

void HealthWatchCall::StartOperations() {
  if (writing_ || finishing_) return;
  if (next_.has_value()) {
    writing_ = true;
    response_.set_status(*next_);
    next_.reset();
    writer_->Write(response_, &written_event_);
  } else if (ended_) {
    finishing_ = true;
    writer_->Finish({grpc::StatusCode::UNAVAILABLE, "the server is draining"}, FinishTag());
  }
}

}  // namespace lipserve
