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

// Adds the methods of one generated service to its calls. `await` is always the service's function
// Request<Method>.
//
// Requires: what the constructor gets outlives the calls.
template <typename Service>
class ServiceMethods {
 public:
  ServiceMethods(const ServiceContext& server, Service& service, grpc::ServerCompletionQueue& queue,
                 CallPools& calls)
      : server_(server), service_(service), queue_(queue), calls_(calls) {}

  template <typename Protocol>
  void AddClassification(RpcMethod counted_as,
                         typename UnaryMethod<Service, typename Protocol::Request,
                                              typename Protocol::Response>::Await await) {
    using Call = ClassificationCall<Service, Protocol>;
    const typename Call::Method method{&service_, &queue_, await};
    calls_.Add(kPostedClassifications, [method, &server = server_, counted_as](CallPool& home) {
      return std::make_unique<Call>(home, method, server, counted_as);
    });
  }

  template <typename Protocol>
  void AddClassificationStream(
      RpcMethod counted_as, typename StreamMethod<Service, typename Protocol::StreamRequest,
                                                  typename Protocol::StreamResponse>::Await await) {
    using Call = ClassificationStream<Service, Protocol>;
    const typename Call::Method method{&service_, &queue_, await};
    calls_.Add(kPostedOthers, [method, &server = server_, counted_as](CallPool& home) {
      return std::make_unique<Call>(home, method, server, counted_as);
    });
  }

  template <typename Request, typename Response>
  void AddPrompt(RpcMethod counted_as,
                 typename UnaryMethod<Service, Request, Response>::Await await,
                 PromptAnswer<Request, Response> answer) {
    using Call = PromptCall<Service, Request, Response>;
    Add<Call>({&service_, &queue_, await}, counted_as, std::move(answer));
  }

  // Any other kind of call, made of its pool, its method, the server and the given arguments.
  template <typename Call, typename... Arguments>
  void Add(const typename Call::Method& method, Arguments... arguments) {
    calls_.Add(kPostedOthers, [method, &server = server_, arguments...](CallPool& home) {
      return std::make_unique<Call>(home, method, server, arguments...);
    });
  }

 private:
  // More than the calls that arrive between two looks at the completion queue.
  static constexpr std::size_t kPostedClassifications = 128;
  static constexpr std::size_t kPostedOthers = 4;

  const ServiceContext& server_;
  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  CallPools& calls_;
};

}  // namespace lipserve

#endif  // SERVER_CALLS_SERVICE_METHODS_H_
