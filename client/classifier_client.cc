// SPDX-License-Identifier: Apache-2.0
#include "client/classifier_client.h"

#include <google/protobuf/wrappers.pb.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/balanced_channel.h"
#include "client/connection_hint.h"
#include "client/server_target.h"

namespace lipserve {
namespace {

// Below gRPC's default limit of 4 MiB for a received message, with room for the other fields.
constexpr std::int64_t kMaxPieceBytes = std::int64_t{3} << 20;

// An invalid list stays as it is. gRPC then fails every call, saying that it cannot resolve the
// target.
std::string TargetOf(const ClientOptions& options) {
  absl::StatusOr<std::string> target = ToGrpcTarget(options.address);
  return target.ok() ? *std::move(target) : options.address;
}

// What the caller can do about an error that the connection, not the server, reports.
std::string HintFor(const grpc::Status& status, absl::Duration timeout) {
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    return ConnectionHint(status.error_message());
  }
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return absl::StrCat("; the call was given ", absl::FormatDuration(timeout),
                        ", allow more time or send fewer images");
  }
  return "";
}

// Number of images that one piece may carry, or an error if the batch is not made of images.
absl::StatusOr<std::int64_t> ImagesPerPiece(const v1::ImageBatch& images, std::int64_t max_images) {
  const std::int64_t count = images.shape_size() > 0 ? images.shape(0) : 0;
  const auto bytes = static_cast<std::int64_t>(images.data().size());
  if (count < 1 || bytes == 0 || bytes % count != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("images: expected data for a whole number of images, got shape [",
                     absl::StrJoin(images.shape(), ", "), "] and ", bytes, " bytes"));
  }
  return std::clamp<std::int64_t>(kMaxPieceBytes / (bytes / count), 1,
                                  std::max<std::int64_t>(1, max_images));
}

// Images [begin, begin + count) of a batch.
v1::ImageBatch Piece(const v1::ImageBatch& images, std::int64_t begin, std::int64_t count) {
  const std::size_t image_bytes = images.data().size() / static_cast<std::size_t>(images.shape(0));
  v1::ImageBatch piece;
  piece.set_element_type(images.element_type());
  *piece.mutable_shape() = images.shape();
  piece.set_shape(0, count);
  piece.set_data(images.data().substr(static_cast<std::size_t>(begin) * image_bytes,
                                      static_cast<std::size_t>(count) * image_bytes));
  return piece;
}

// What the response lacks of what the protocol promises for `images`, as "expected A, got B"; empty
// if nothing.
std::string MissingFromResponse(const v1::ImageBatch& images,
                                const v1::ClassifyResponse& response) {
  const std::int64_t sent = images.shape_size() > 0 ? images.shape(0) : 0;
  if (response.classifications_size() != sent) {
    return absl::StrCat("expected ", sent, " answers, got ", response.classifications_size());
  }
  if (response.radius_precision() == v1::RADIUS_PRECISION_UNSPECIFIED) {
    return "expected the precision of the radii, got none";
  }
  if (images.element_type() != v1::ELEMENT_TYPE_UINT8) return "";
  for (const v1::Classification& answer : response.classifications()) {
    if (!answer.has_certified_pixel_radius_squared()) {
      return "expected a squared pixel radius for each UINT8 image, got none";
    }
  }
  return "";
}

}  // namespace

std::string ServingStatusName(ServingStatus status) {
  switch (status) {
    case ServingStatus::kUnknown:
      return "UNKNOWN";
    case ServingStatus::kServing:
      return "SERVING";
    case ServingStatus::kNotServing:
      return "NOT_SERVING";
    case ServingStatus::kServiceUnknown:
      return "SERVICE_UNKNOWN";
  }
  return "UNKNOWN";
}

ClassifierClient::ClassifierClient(ClientOptions options)
    : options_(std::move(options)),
      stub_(v1::ClassifierService::NewStub(
          MakeBalancedChannel(TargetOf(options_), options_.credentials))) {}

absl::Status ClassifierClient::ErrorOf(const char* method, const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  // gRPC's and Abseil's codes are the same numbers.
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  return {code, absl::StrCat(options_.address, ": ", method, ": ", absl::StatusCodeToString(code),
                             ": ", status.error_message(), HintFor(status, options_.timeout))};
}

void ClassifierClient::SetDeadline(grpc::ClientContext& context) const {
  context.set_deadline(absl::ToChronoTime(absl::Now() + options_.timeout));
}

absl::StatusOr<v1::ClassifyResponse> ClassifierClient::Classify(
    const v1::ImageBatch& images, const ClassifyOptions& options) const {
  v1::ClassifyRequest request;
  request.set_model_name(options.model.name);
  request.set_model_version(options.model.version);
  request.set_model_label(options.model.label);
  request.set_request_id(options.request_id);
  if (options.epsilon.has_value()) request.set_epsilon(*options.epsilon);
  request.set_radius_precision(options.radius_precision);
  *request.mutable_images() = images;
  grpc::ClientContext context;
  SetDeadline(context);
  v1::ClassifyResponse response;
  if (auto error = ErrorOf("Classify", stub_->Classify(&context, request, &response));
      !error.ok()) {
    return error;
  }
  if (const std::string missing = MissingFromResponse(images, response); !missing.empty()) {
    return absl::InternalError(absl::StrCat(options_.address, ": Classify: ", missing,
                                            "; the server does not follow the protocol"));
  }
  return response;
}

absl::StatusOr<v1::ClassifyResponse> ClassifierClient::ClassifyInPieces(
    const v1::ImageBatch& images, ClassifyOptions options, std::int64_t max_images) const {
  const auto per_piece = ImagesPerPiece(images, max_images);
  if (!per_piece.ok()) return per_piece.status();
  v1::ClassifyResponse joined;
  for (std::int64_t begin = 0; begin < images.shape(0); begin += *per_piece) {
    const std::int64_t count = std::min(*per_piece, images.shape(0) - begin);
    auto answer = Classify(Piece(images, begin, count), options);
    if (!answer.ok()) return answer.status();
    if (begin == 0) {
      joined = *std::move(answer);
      options.model = {joined.model().name(), joined.model().version()};
      continue;
    }
    if (answer->model().digest_sha256() != joined.model().digest_sha256()) {
      return absl::AbortedError(absl::StrCat(
          options_.address, ": Classify: model \"", options.model.name, "\" version ",
          options.model.version, " was replaced between two calls; run the command again"));
    }
    joined.mutable_classifications()->MergeFrom(answer->classifications());
  }
  return joined;
}

absl::StatusOr<v1::DescribeModelResponse> ClassifierClient::DescribeModel(
    const ModelSelector& model) const {
  v1::DescribeModelRequest request;
  request.set_model_name(model.name);
  request.set_model_version(model.version);
  request.set_model_label(model.label);
  grpc::ClientContext context;
  SetDeadline(context);
  v1::DescribeModelResponse response;
  if (auto error = ErrorOf("DescribeModel", stub_->DescribeModel(&context, request, &response));
      !error.ok()) {
    return error;
  }
  return response;
}

absl::StatusOr<v1::ListModelsResponse> ClassifierClient::ListModels() const {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::ListModelsResponse response;
  if (auto error = ErrorOf("ListModels", stub_->ListModels(&context, {}, &response)); !error.ok()) {
    return error;
  }
  return response;
}

// grpc.health.v1's messages are one string and one enum, both field 1: on the wire they are
// exactly the well-known wrappers, so no generated health stub is needed.
absl::StatusOr<ServingStatus> ClassifierClient::CheckHealth(const std::string& service) const {
  using google::protobuf::Int32Value;
  using google::protobuf::StringValue;
  StringValue request;
  request.set_value(service);
  Int32Value response;
  grpc::Status status;
  grpc::ClientContext context;
  SetDeadline(context);
  grpc::CompletionQueue queue;
  grpc::TemplatedGenericStub<StringValue, Int32Value> stub(
      MakePlainChannel(TargetOf(options_), options_.credentials));
  const auto call =
      stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
  call->StartCall();
  call->Finish(&response, &status, &response);
  void* tag = nullptr;
  bool completed = false;
  queue.Next(&tag, &completed);
  if (auto error = ErrorOf("Health/Check", status); !error.ok()) return error;
  const int value = response.value();
  return value >= 1 && value <= 3 ? static_cast<ServingStatus>(value) : ServingStatus::kUnknown;
}

}  // namespace lipserve
