// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CALLS_SERVICE_METHODS_H_
#define SERVER_CALLS_SERVICE_METHODS_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "server/calls/classification_call.h"
#include "server/calls/classification_stream.h"
#include "server/calls/prompt_call.h"
#include "server/rpc/call_pool.h"

namespace lipserve {

// Adds the methods of one generated service to the call pools:
//
//   ServiceMethods<Service> methods(server, service, queue, pools);
//   methods.AddClassification<ClassifierProtocol>(RpcMethod::kClassify, &Service::RequestClassify);
//
// `request_function` is the generated function Request<Method>.
//
// Requires: the constructor's arguments outlive the calls.
template <typename Service>
class ServiceMethods {
 public:
  ServiceMethods(const ServiceContext& server, Service& service, grpc::ServerCompletionQueue& queue,
                 MethodPools& pools)
      : server_(server), service_(service), queue_(queue), pools_(pools) {}

  template <typename Protocol>
  void AddClassification(
      RpcMethod rpc_method,
      typename UnaryMethod<Service, typename Protocol::Request,
                           typename Protocol::Response>::RequestFunction request_function) {
    using Call = ClassificationCall<Service, Protocol>;
    const typename Call::Method method{&service_, &queue_, request_function};
    pools_.Add(kPostedClassifications, [method, &server = server_, rpc_method](CallPool& pool) {
      return std::make_unique<Call>(pool, method, server, rpc_method);
    });
  }

  template <typename Protocol>
  void AddClassificationStream(
      RpcMethod rpc_method,
      typename StreamMethod<Service, typename Protocol::StreamRequest,
                            typename Protocol::StreamResponse>::RequestFunction request_function) {
    using Call = ClassificationStream<Service, Protocol>;
    const typename Call::Method method{&service_, &queue_, request_function};
    pools_.Add(kPostedOthers, [method, &server = server_, rpc_method](CallPool& pool) {
      return std::make_unique<Call>(pool, method, server, rpc_method);
    });
  }

  // A PromptCall, which `answer` answers on the poller.
  template <typename Request, typename Response>
  void AddPrompt(RpcMethod rpc_method,
                 typename UnaryMethod<Service, Request, Response>::RequestFunction request_function,
                 const PromptAnswer<Request, Response>& answer) {
    using Call = PromptCall<Service, Request, Response>;
    Add<Call>({&service_, &queue_, request_function}, rpc_method, answer);
  }

  // Any other call. Its constructor takes its pool, its method, the server and `arguments`.
  template <typename Call, typename... Arguments>
  void Add(const typename Call::Method& method, const Arguments&... arguments) {
    pools_.Add(kPostedOthers, [method, &server = server_, arguments...](CallPool& pool) {
      return std::make_unique<Call>(pool, method, server, arguments...);
    });
  }

 private:
  // More than the calls that arrive between two polls of the completion queue.
  static constexpr std::size_t kPostedClassifications = 128;
  static constexpr std::size_t kPostedOthers = 4;

  const ServiceContext& server_;
  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  MethodPools& pools_;
};

}  // namespace lipserve

#endif  // SERVER_CALLS_SERVICE_METHODS_H_
