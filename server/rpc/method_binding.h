// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_METHOD_BINDING_H_
#define SERVER_RPC_METHOD_BINDING_H_

#include <grpcpp/grpcpp.h>

namespace lipserve {

// One method of a generated service, on a completion queue.
template <typename Service, typename Request, typename Response>
struct UnaryMethod {
  // The generated function Request<Method>.
  using RequestFunction = void (Service::*)(grpc::ServerContext*, Request*,
                                            grpc::ServerAsyncResponseWriter<Response>*,
                                            grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                            void*);

  // Asks gRPC for the next call.
  void RequestCall(grpc::ServerContext& context, Request& request,
                   grpc::ServerAsyncResponseWriter<Response>& responder, void* tag) const {
    (service->*request_function)(&context, &request, &responder, queue, queue, tag);
  }

  Service* service;
  grpc::ServerCompletionQueue* queue;
  RequestFunction request_function;
};

// The same for a method with a stream of requests and one of responses.
template <typename Service, typename Request, typename Response>
struct StreamMethod {
  using RequestFunction = void (Service::*)(grpc::ServerContext*,
                                            grpc::ServerAsyncReaderWriter<Response, Request>*,
                                            grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                            void*);

  void RequestCall(grpc::ServerContext& context,
                   grpc::ServerAsyncReaderWriter<Response, Request>& stream, void* tag) const {
    (service->*request_function)(&context, &stream, queue, queue, tag);
  }

  Service* service;
  grpc::ServerCompletionQueue* queue;
  RequestFunction request_function;
};

}  // namespace lipserve

#endif  // SERVER_RPC_METHOD_BINDING_H_
