// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CALLS_PROMPT_CALL_H_
#define SERVER_CALLS_PROMPT_CALL_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "server/calls/call_meter.h"
#include "server/rpc/unary_call.h"

namespace lipserve {

// Computes the response of a PromptCall. Sets `model` if the request is about one model, so that
// the call is counted there.
template <typename Request, typename Response>
using PromptAnswer = std::function<absl::Status(const Request& request, Response& response,
                                                std::shared_ptr<const ServedModel>& model)>;

// A unary call that is answered promptly: on the poller that received it, before Handle returns.
//
//   methods.AddPrompt<ListModelsRequest, ListModelsResponse>(
//       RpcMethod::kListModels, &Service::RequestListModels, answer);
template <typename Service, typename Request, typename Response>
class PromptCall final : public UnaryCall<Service, Request, Response> {
  using Call = UnaryCall<Service, Request, Response>;

 public:
  PromptCall(CallPool& pool, const typename Call::Method& method, const ServiceContext& server,
             RpcMethod rpc_method, PromptAnswer<Request, Response> answer)
      : Call(pool, method),
        access_(server.access),
        method_(rpc_method),
        meter_(server, rpc_method),
        answer_(std::move(answer)) {}

 private:
  void Handle() override {
    meter_.StartRequest();
    this->response().Clear();
    std::shared_ptr<const ServedModel> model;
    absl::Status status = access_.Check(this->context(), method_);
    if (status.ok()) status = answer_(this->request(), this->response(), model);
    meter_.EndRequest(model.get(), status);
    this->Finish(status);
  }

  AccessControl& access_;
  const RpcMethod method_;
  CallMeter meter_;
  const PromptAnswer<Request, Response> answer_;
};

}  // namespace lipserve

#endif  // SERVER_CALLS_PROMPT_CALL_H_
