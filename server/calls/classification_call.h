// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CALLS_CLASSIFICATION_CALL_H_
#define SERVER_CALLS_CLASSIFICATION_CALL_H_

#include "server/calls/classification_request.h"
#include "server/rpc/unary_call.h"

namespace lipserve {

// A unary call that classifies, e.g. Classify or ModelInfer. `Protocol` is that of
// ClassificationRequest.
template <typename Service, typename Protocol>
class ClassificationCall final
    : public UnaryCall<Service, typename Protocol::Request, typename Protocol::Response>,
      public ClassificationRequest<Protocol> {
  using Call = UnaryCall<Service, typename Protocol::Request, typename Protocol::Response>;

 public:
  ClassificationCall(CallPool& pool, const typename Call::Method& method,
                     const ServiceContext& server, RpcMethod rpc_method)
      : Call(pool, method), ClassificationRequest<Protocol>(server, rpc_method) {}

  bool IsCancelled() const override { return this->cancelled(); }

 private:
  void Handle() override { this->Begin(this->request(), this->context(), this->response()); }

  void OnCompleted(const absl::Status& status) override { this->Finish(status); }
};

}  // namespace lipserve

#endif  // SERVER_CALLS_CLASSIFICATION_CALL_H_
