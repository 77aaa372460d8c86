// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/classifier_service.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "model/foundation/status_macros.h"
#include "server/calls/service_methods.h"
#include "server/operations/request_error.h"
#include "server/protocols/classifier_codec.h"

namespace lipserve {
namespace {

using ClassifierAsync = v1::ClassifierService::AsyncService;
using ModelPtr = ModelCatalog::ModelPtr;

// The protocol of Classify and ClassifyStream.
struct ClassifierProtocol {
  using Request = v1::ClassifyRequest;
  using Response = v1::ClassifyResponse;
  using StreamRequest = v1::ClassifyStreamRequest;
  using StreamResponse = v1::ClassifyStreamResponse;

  static absl::string_view RequestId(const Request& request) { return request.request_id(); }
  static absl::StatusOr<ModelPtr> FindModel(const ModelCatalog& catalog, const Request& request) {
    return catalog.Find(request.model_name(), request.model_version(), request.model_label());
  }
  static std::int64_t CountImages(const Request& request) {
    return request.images().shape().empty() ? 0 : request.images().shape(0);
  }
  static absl::Status Decode(const Request& request, const ServedModel& model,
                             std::size_t max_images, DecodedImages& images) {
    return DecodeClassifyRequest(request, model, max_images, images);
  }
  static void Encode(const Request& request, const DecodedImages& images, const ServedModel& model,
                     std::span<const Answer> answers, Response& response) {
    EncodeClassifyResponse(request, images, model, answers, response);
  }

  static const Request& Unwrap(const StreamRequest& request) { return request.request(); }
  static Response& Wrap(StreamResponse& response) { return *response.mutable_response(); }
  static void EncodeError(const Request& /*request*/, const absl::Status& status,
                          StreamResponse& response) {
    ToRpcStatus(status, *response.mutable_error());
  }
};

absl::Status DescribeModel(const ServiceContext& server, const v1::DescribeModelRequest& request,
                           v1::DescribeModelResponse& response, ModelPtr& model) {
  LIPSERVE_RETURN_IF_ERROR(server.health.CheckAcceptsCalls());
  LIPSERVE_ASSIGN_OR_RETURN(
      model, server.repository.catalog()->Find(request.model_name(), request.model_version(),
                                               request.model_label()));
  EncodeModelDescription(*model, server.max_images_per_call, response);
  return absl::OkStatus();
}

absl::Status ListModels(const ServiceContext& server, v1::ListModelsResponse& response) {
  LIPSERVE_RETURN_IF_ERROR(server.health.CheckAcceptsCalls());
  const std::shared_ptr<const ModelCatalog> catalog = server.repository.catalog();
  for (const auto& model : catalog->models()) EncodeModelIdentity(*model, *response.add_models());
  return absl::OkStatus();
}

}  // namespace

void AddClassifierCalls(const ServiceContext& server, ClassifierAsync& service,
                        grpc::ServerCompletionQueue& queue, MethodPools& pools) {
  ServiceMethods<ClassifierAsync> methods(server, service, queue, pools);
  methods.AddClassification<ClassifierProtocol>(RpcMethod::kClassify,
                                                &ClassifierAsync::RequestClassify);
  methods.AddClassificationStream<ClassifierProtocol>(RpcMethod::kClassifyStream,
                                                      &ClassifierAsync::RequestClassifyStream);
  methods.AddPrompt<v1::DescribeModelRequest, v1::DescribeModelResponse>(
      RpcMethod::kDescribeModel, &ClassifierAsync::RequestDescribeModel,
      [&server](const auto& request, auto& response, ModelPtr& model) {
        return DescribeModel(server, request, response, model);
      });
  methods.AddPrompt<v1::ListModelsRequest, v1::ListModelsResponse>(
      RpcMethod::kListModels, &ClassifierAsync::RequestListModels,
      [&server](const auto& /*request*/, auto& response, ModelPtr& /*model*/) {
        return ListModels(server, response);
      });
}

}  // namespace lipserve
