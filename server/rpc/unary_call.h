// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_UNARY_CALL_H_
#define SERVER_RPC_UNARY_CALL_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/operations/request_error.h"
#include "server/rpc/async_call.h"
#include "server/rpc/method_binding.h"

namespace lipserve {

// A call with one request and one response. Derive from it and implement Handle:
//
//   class LiveCall final : public UnaryCall<Service, LiveRequest, LiveResponse> {
//     void Handle() override {
//       response().set_live(true);
//       Finish(absl::OkStatus());
//     }
//   };
//
// Threads: Handle runs on a poller. Finish may be called there or on another thread, once.
template <typename Service, typename Request, typename Response>
class UnaryCall : public AsyncCall {
 public:
  using Method = UnaryMethod<Service, Request, Response>;

  UnaryCall(CallPool& pool, const Method& method) : AsyncCall(pool), method_(method) {}

 protected:
  // Handles request(). Must lead to exactly one Finish, here or later on another thread.
  virtual void Handle() = 0;

  // The client cancelled. Finish must still be called once.
  virtual void OnCancelled() {}

  // Sends the response if `status` is OK, otherwise the error. After a Finish outside Handle the
  // call may already serve another RPC.
  void Finish(const absl::Status& status) {
    if (const auto delay = RetryDelay(status)) {
      // A gRPC client with a retry policy waits this long.
      context().AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(delay->count()));
    }
    if (status.ok()) {
      responder_->Finish(response_, grpc::Status::OK, FinishTag());
    } else {
      responder_->FinishWithError(ToGrpcStatus(status), FinishTag());
    }
  }

  const Request& request() const { return request_; }
  Response& response() { return response_; }

 private:
  void RequestNext(grpc::ServerContext& context, void* arrived) final {
    responder_.emplace(&context);
    method_.RequestCall(context, request_, *responder_, arrived);
  }

  void OnArrived() final { Handle(); }

  void OnDone() final {
    if (cancelled()) OnCancelled();
  }

  void Release() final {
    responder_.reset();
    ReleaseIfLarge(request_);
    ReleaseIfLarge(response_);
  }

  // Messages are reused with their memory. A pool must not keep the memory of a burst of large
  // ones.
  template <typename Message>
  static void ReleaseIfLarge(Message& message) {
    constexpr std::size_t kMaxKeptBytes = std::size_t{16} << 10;
    if (message.ByteSizeLong() > kMaxKeptBytes) message = Message();
  }

  const Method method_;
  std::optional<grpc::ServerAsyncResponseWriter<Response>> responder_;
  Request request_;
  Response response_;
};

}  // namespace lipserve

#endif  // SERVER_RPC_UNARY_CALL_H_
