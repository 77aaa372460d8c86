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

// A call that loads or unloads a model, and is answered when that is done. A load that has begun
// completes even if the client disconnects. Shutdown does not wait for the call.
template <typename Service, typename Request, typename Response>
class RepositoryCall final : public UnaryCall<Service, Request, Response> {
  using Call = UnaryCall<Service, Request, Response>;

 public:
  using Action = void (RepositoryLoader::*)(std::string name, RepositoryLoader::Done done);
  using Check = absl::Status (*)(const Request& request);

  // `check` validates a request before its action starts.
  RepositoryCall(CallPool& pool, const typename Call::Method& method, const ServiceContext& server,
                 RpcMethod rpc_method, Action action, Check check)
      : Call(pool, method),
        server_(server),
        method_(rpc_method),
        meter_(server, rpc_method),
        action_(action),
        check_(check) {}

 private:
  // The call that waits for an outcome. The first Complete answers it; later ones do nothing.
  class PendingCall {
   public:
    explicit PendingCall(RepositoryCall& call) : call_(&call) {}

    void Complete(const absl::Status& status) {
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
    meter_.StartRequest();
    const auto pending = std::make_shared<PendingCall>(*this);
    {
      MutexLock lock(mutex_);
      pending_ = pending;
    }
    absl::Status status = server_.access.Check(this->context(), method_);
    if (status.ok()) status = server_.health.CheckAcceptsCalls();
    if (status.ok()) status = check_(this->request());
    if (!status.ok()) return pending->Complete(status);
    (server_.loader.*action_)(this->request().model_name(), [pending](const absl::Status& outcome) {
      pending->Complete(outcome);
    });
    // The client may have cancelled before pending_ was set.
    if (this->cancelled()) OnCancelled();
  }

  void OnCancelled() override {
    std::shared_ptr<PendingCall> pending;
    {
      MutexLock lock(mutex_);
      pending = pending_;
    }
    if (pending != nullptr)
      pending->Complete(absl::CancelledError("the client does not wait any more"));
  }

  void Answer(const absl::Status& status) {
    meter_.EndRequest(nullptr, status);
    this->Finish(status);
  }

  const ServiceContext& server_;
  const RpcMethod method_;
  CallMeter meter_;
  const Action action_;
  const Check check_;
  Mutex mutex_;
  std::shared_ptr<PendingCall> pending_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lipserve

#endif  // SERVER_CALLS_REPOSITORY_CALL_H_
