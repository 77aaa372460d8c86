// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CALLS_REPOSITORY_CALL_H_
#define SERVER_CALLS_REPOSITORY_CALL_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "model/foundation/mutex.h"
#include "server/calls/call_meter.h"
#include "server/repository/repository_loader.h"
#include "server/rpc/unary_call.h"

namespace lipserve {

// A call that loads or unloads a model, and is answered when that is done. What it has begun goes
// on when the client does not wait for it; nor does the end of the server.
template <typename Service, typename Request, typename Response>
class RepositoryCall final : public UnaryCall<Service, Request, Response> {
  using Call = UnaryCall<Service, Request, Response>;

 public:
  using Action = void (RepositoryLoader::*)(std::string name, RepositoryLoader::Done done);
  using Check = absl::Status (*)(const Request& request);

  // `check` refuses a request before anything is begun.
  RepositoryCall(CallPool& home, const typename Call::Method& method, const ServiceContext& server,
                 RpcMethod counted_as, Action action, Check check)
      : Call(home, method),
        server_(server),
        method_(counted_as),
        meter_(server, counted_as),
        action_(action),
        check_(check) {}

 private:
  // Who waits for an outcome: the call, until it has been answered.
  class Waiting {
   public:
    explicit Waiting(RepositoryCall& call) : call_(&call) {}

    void End(const absl::Status& status) {
      RepositoryCall* call = nullptr;
      {
        MutexLock lock(mutex_);
        call = std::exchange(call_, nullptr);
      }
      if (call != nullptr) call->Answer(status);
    }

   private:
    Mutex mutex_;
    RepositoryCall* call_ ABSL_GUARDED_BY(mutex_);
  };

  void Handle() override {
    meter_.Arrive();
    const auto waiting = std::make_shared<Waiting>(*this);
    {
      MutexLock lock(mutex_);
      waiting_ = waiting;
    }
    absl::Status status = server_.access.Check(this->context(), method_);
    if (status.ok()) status = server_.health.CheckAnswering();
    if (status.ok()) status = check_(this->request());
    if (!status.ok()) return waiting->End(status);
    (server_.loader.*action_)(this->request().model_name(),
                              [waiting](const absl::Status& outcome) { waiting->End(outcome); });
    // Cancelled before anybody could be told.
    if (this->cancelled()) OnCancelled();
  }

  void OnCancelled() override {
    std::shared_ptr<Waiting> waiting;
    {
      MutexLock lock(mutex_);
      waiting = waiting_;
    }
    if (waiting != nullptr) waiting->End(absl::CancelledError("the client does not wait any more"));
  }

  void Answer(const absl::Status& status) {
    meter_.Answer(nullptr, status);
    this->Finish(status);
  }

  const ServiceContext& server_;
  const RpcMethod method_;
  CallMeter meter_;
  const Action action_;
  const Check check_;
  Mutex mutex_;
  std::shared_ptr<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_CALLS_REPOSITORY_CALL_H_
