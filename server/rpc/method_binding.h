// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_RPC_METHOD_BINDING_H_
#define SERVER_RPC_METHOD_BINDING_H_

#include <grpcpp/grpcpp.h>

namespace lipserve {

// A unary method of a generated service, bound to a completion queue:
//
//   const UnaryMethod<Service, Request, Response> method{&service, &queue,
//                                                        &Service::RequestClassify};
template <typename Service, typename Request, typename Response>
struct UnaryMethod {
  // The generated function Request<Method>, e.g. RequestClassify.
  using RequestFunction = void (Service::*)(grpc::ServerContext*, Request*,
                                            grpc::ServerAsyncResponseWriter<Response>*,
                                            grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                            void*);

  // Asks gRPC for the next call of this method.
  void RequestCall(grpc::ServerContext& context, Request& request,
                   grpc::ServerAsyncResponseWriter<Response>& responder, void* tag) const {
    (service->*request_function)(&context, &request, &responder, queue, queue, tag);
  }

  Service* service;
  grpc::ServerCompletionQueue* queue;
  RequestFunction request_function;
};

// The same for a bidirectional stream.
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
