// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/inference_service.h"

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/foundation/status_macros.h"
#include "server/calls/repository_call.h"
#include "server/calls/service_methods.h"
#include "server/operations/request_error.h"
#include "server/protocols/inference_codec.h"
#include "server/protocols/inference_description.h"
#include "server/protocols/inference_log_settings.h"

namespace lipserve {
namespace {

using InferenceAsync = inference::GRPCInferenceService::AsyncService;
using ModelPtr = ModelCatalog::ModelPtr;

// The protocol of ModelInfer and ModelStreamInfer.
struct InferenceProtocol {
  using Request = inference::ModelInferRequest;
  using Response = inference::ModelInferResponse;
  using StreamRequest = inference::ModelInferRequest;
  using StreamResponse = inference::ModelStreamInferResponse;

  static absl::string_view RequestId(const Request& request) { return request.id(); }
  static absl::StatusOr<ModelPtr> FindModel(const ModelCatalog& catalog, const Request& request) {
    return FindInferenceModel(catalog, request.model_name(), request.model_version(),
                              "model_version");
  }
  static std::int64_t CountImages(const Request& request) {
    const bool has_shape = !request.inputs().empty() && !request.inputs(0).shape().empty();
    return has_shape ? request.inputs(0).shape(0) : 0;
  }
  static absl::Status Decode(const Request& request, const ServedModel& model,
                             std::size_t max_images, DecodedImages& images) {
    return DecodeInferRequest(request, model, max_images, images);
  }
  static void Encode(const Request& request, const DecodedImages& images, const ServedModel& model,
                     std::span<const Answer> answers, Response& response) {
    EncodeInferResponse(request, images, model, answers, response);
  }

  static const Request& Unwrap(const StreamRequest& request) { return request; }
  static Response& Wrap(StreamResponse& response) {
    response.clear_error_message();
    return *response.mutable_infer_response();
  }
  static void EncodeError(const Request& request, const absl::Status& status,
                          StreamResponse& response) {
    // Clients of this protocol get only a text. Its first word is the code, for programs.
    response.set_error_message(
        absl::StrCat(absl::StatusCodeToString(status.code()), ": ", std::string(status.message())));
    response.mutable_infer_response()->Clear();
    response.mutable_infer_response()->set_id(request.id());
  }
};

ServingLimits LimitsOf(const ServiceContext& server) {
  return {.max_images_per_call = server.max_images_per_call,
          .queue_capacity = server.queue_capacity,
          .workers = server.workers};
}

// Finds the model that a request names by name and version, if calls are accepted.
template <typename Request>
absl::StatusOr<ModelPtr> FindNamed(const ServiceContext& server, const Request& request) {
  LIPSERVE_RETURN_IF_ERROR(server.health.CheckAcceptsCalls());
  return FindInferenceModel(*server.repository.catalog(), request.name(), request.version(),
                            "version");
}

absl::Status AnswerModelReady(const ServiceContext& server,
                              const inference::ModelReadyRequest& request,
                              inference::ModelReadyResponse& response, ModelPtr& model) {
  absl::StatusOr<ModelPtr> found = FindNamed(server, request);
  if (absl::IsInvalidArgument(found.status())) return found.status();
  response.set_ready(found.ok() && server.health.phase() == ServingPhase::kServing);
  if (found.ok()) model = *std::move(found);
  return absl::OkStatus();
}

absl::Status AnswerModelMetadata(const ServiceContext& server,
                                 const inference::ModelMetadataRequest& request,
                                 inference::ModelMetadataResponse& response, ModelPtr& model) {
  LIPSERVE_ASSIGN_OR_RETURN(model, FindNamed(server, request));
  DescribeTensors(*server.repository.catalog(), *model, LimitsOf(server), response);
  return absl::OkStatus();
}

absl::Status AnswerModelConfig(const ServiceContext& server,
                               const inference::ModelConfigRequest& request,
                               inference::ModelConfigResponse& response, ModelPtr& model) {
  LIPSERVE_ASSIGN_OR_RETURN(model, FindNamed(server, request));
  DescribeServing(*server.repository.catalog(), *model, LimitsOf(server),
                  *response.mutable_config());
  return absl::OkStatus();
}

absl::Status AnswerModelStatistics(const ServiceContext& server,
                                   const inference::ModelStatisticsRequest& request,
                                   inference::ModelStatisticsResponse& response, ModelPtr& model) {
  LIPSERVE_RETURN_IF_ERROR(server.health.CheckAcceptsCalls());
  const std::shared_ptr<const ModelCatalog> catalog = server.repository.catalog();
  if (!request.version().empty()) {
    if (request.name().empty()) {
      return InvalidField(
          "version", absl::StrCat("expected none without a name, got ", Quoted(request.version())));
    }
    LIPSERVE_ASSIGN_OR_RETURN(
        model, FindInferenceModel(*catalog, request.name(), request.version(), "version"));
    DescribeStatistics(*model, *response.add_model_stats());
    return absl::OkStatus();
  }
  for (const ModelPtr& served : catalog->models()) {
    if (!request.name().empty() && served->name() != request.name()) continue;
    DescribeStatistics(*served, *response.add_model_stats());
  }
  if (response.model_stats().empty() && !request.name().empty()) {
    return catalog->Find(request.name(), 0).status();
  }
  return absl::OkStatus();
}

absl::Status CheckRepositoryName(const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(
      "repository_name: expected none, because there is one repository, got ", Quoted(name)));
}

template <typename Request>
absl::Status CheckRepositoryModel(const Request& request) {
  LIPSERVE_RETURN_IF_ERROR(CheckRepositoryName(request.repository_name()));
  if (request.model_name().empty()) {
    return InvalidField("model_name", "expected the name of a model, got none");
  }
  return absl::OkStatus();
}

absl::Status CheckLoad(const inference::RepositoryModelLoadRequest& request) {
  LIPSERVE_RETURN_IF_ERROR(CheckRepositoryModel(request));
  if (request.parameters().empty()) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("parameters[", Quoted(request.parameters().begin()->first),
                   "]: expected none; files and configuration come from the model's folder"));
}

absl::Status CheckUnload(const inference::RepositoryModelUnloadRequest& request) {
  LIPSERVE_RETURN_IF_ERROR(CheckRepositoryModel(request));
  for (const auto& [name, value] : request.parameters()) {
    if (name == "unload_dependents") continue;  // no model has dependents
    return InvalidField(absl::StrCat("parameters[", Quoted(name), "]"),
                        "expected unload_dependents or none");
  }
  return absl::OkStatus();
}

absl::Status AnswerRepositoryIndex(const ServiceContext& server,
                                   const inference::RepositoryIndexRequest& request,
                                   inference::RepositoryIndexResponse& response) {
  LIPSERVE_RETURN_IF_ERROR(CheckRepositoryName(request.repository_name()));
  DescribeRepository(*server.repository.Index(), request.ready(), response);
  return absl::OkStatus();
}

absl::Status AnswerLogSettings(const ServiceContext& server,
                               const inference::LogSettingsRequest& request,
                               inference::LogSettingsResponse& response) {
  if (!request.settings().empty()) {
    if (!server.allow_log_changes) {
      return absl::FailedPreconditionError(
          "to change the log by request, let the server listen on loopback, or say with "
          "--access-policy who may call LogSettings");
    }
    LIPSERVE_ASSIGN_OR_RETURN(const LogSettings settings,
                              ApplyLogSettings(request, server.log_control.Get()));
    server.log_control.Set(settings);
  }
  DescribeLog(server.log_control.Get(), response);
  return absl::OkStatus();
}

void AddServerMethods(const ServiceContext& server, ServiceMethods<InferenceAsync>& methods) {
  methods.AddPrompt<inference::ServerLiveRequest, inference::ServerLiveResponse>(
      RpcMethod::kServerLive, &InferenceAsync::RequestServerLive,
      [](const auto& /*request*/, auto& response, ModelPtr& /*model*/) {
        response.set_live(true);
        return absl::OkStatus();
      });
  methods.AddPrompt<inference::ServerReadyRequest, inference::ServerReadyResponse>(
      RpcMethod::kServerReady, &InferenceAsync::RequestServerReady,
      [&server](const auto& /*request*/, auto& response, ModelPtr& /*model*/) {
        response.set_ready(server.health.IsReady());
        return absl::OkStatus();
      });
  methods.AddPrompt<inference::ServerMetadataRequest, inference::ServerMetadataResponse>(
      RpcMethod::kServerMetadata, &InferenceAsync::RequestServerMetadata,
      [](const auto& /*request*/, auto& response, ModelPtr& /*model*/) {
        DescribeServer(response);
        return absl::OkStatus();
      });
  methods.AddPrompt<inference::LogSettingsRequest, inference::LogSettingsResponse>(
      RpcMethod::kLogSettings, &InferenceAsync::RequestLogSettings,
      [&server](const auto& request, auto& response, ModelPtr& /*model*/) {
        return AnswerLogSettings(server, request, response);
      });
}

void AddModelMethods(const ServiceContext& server, ServiceMethods<InferenceAsync>& methods) {
  methods.AddPrompt<inference::ModelReadyRequest, inference::ModelReadyResponse>(
      RpcMethod::kModelReady, &InferenceAsync::RequestModelReady,
      [&server](const auto& request, auto& response, ModelPtr& model) {
        return AnswerModelReady(server, request, response, model);
      });
  methods.AddPrompt<inference::ModelMetadataRequest, inference::ModelMetadataResponse>(
      RpcMethod::kModelMetadata, &InferenceAsync::RequestModelMetadata,
      [&server](const auto& request, auto& response, ModelPtr& model) {
        return AnswerModelMetadata(server, request, response, model);
      });
  methods.AddPrompt<inference::ModelConfigRequest, inference::ModelConfigResponse>(
      RpcMethod::kModelConfig, &InferenceAsync::RequestModelConfig,
      [&server](const auto& request, auto& response, ModelPtr& model) {
        return AnswerModelConfig(server, request, response, model);
      });
  methods.AddPrompt<inference::ModelStatisticsRequest, inference::ModelStatisticsResponse>(
      RpcMethod::kModelStatistics, &InferenceAsync::RequestModelStatistics,
      [&server](const auto& request, auto& response, ModelPtr& model) {
        return AnswerModelStatistics(server, request, response, model);
      });
}

}  // namespace

void AddInferenceCalls(const ServiceContext& server, InferenceAsync& service,
                       grpc::ServerCompletionQueue& queue, MethodPools& pools) {
  ServiceMethods<InferenceAsync> methods(server, service, queue, pools);
  methods.AddClassification<InferenceProtocol>(RpcMethod::kModelInfer,
                                               &InferenceAsync::RequestModelInfer);
  methods.AddClassificationStream<InferenceProtocol>(RpcMethod::kModelStreamInfer,
                                                     &InferenceAsync::RequestModelStreamInfer);
  AddServerMethods(server, methods);
  AddModelMethods(server, methods);
  methods.AddPrompt<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse>(
      RpcMethod::kRepositoryIndex, &InferenceAsync::RequestRepositoryIndex,
      [&server](const auto& request, auto& response, ModelPtr& /*model*/) {
        return AnswerRepositoryIndex(server, request, response);
      });
  using Load = RepositoryCall<InferenceAsync, inference::RepositoryModelLoadRequest,
                              inference::RepositoryModelLoadResponse>;
  methods.Add<Load>({&service, &queue, &InferenceAsync::RequestRepositoryModelLoad},
                    RpcMethod::kRepositoryModelLoad, &RepositoryLoader::Load, &CheckLoad);
  using Unload = RepositoryCall<InferenceAsync, inference::RepositoryModelUnloadRequest,
                                inference::RepositoryModelUnloadResponse>;
  methods.Add<Unload>({&service, &queue, &InferenceAsync::RequestRepositoryModelUnload},
                      RpcMethod::kRepositoryModelUnload, &RepositoryLoader::Unload, &CheckUnload);
}

}  // namespace lipserve
