// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/classifier_codec.h"

#include <cassert>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/arithmetic/outward_rounding.h"
#include "model/foundation/status_macros.h"
#include "model/network/pixel_scaling.h"
#include "server/operations/request_error.h"
#include "server/protocols/request_checks.h"

namespace lipserve {
namespace {

absl::StatusOr<ElementType> DecodeElementType(v1::ElementType type) {
  switch (type) {
    case v1::ELEMENT_TYPE_UINT8:
      return ElementType::kUint8;
    case v1::ELEMENT_TYPE_FP32:
      return ElementType::kFp32;
    default:
      return InvalidField(
          "images.element_type",
          absl::StrCat("expected ELEMENT_TYPE_UINT8 (pixels 0..255) or ELEMENT_TYPE_FP32, got ",
                       type == v1::ELEMENT_TYPE_UNSPECIFIED
                           ? "none"
                           : absl::StrCat("the unknown value ", static_cast<int>(type))));
  }
}

absl::StatusOr<RadiusPrecision> DecodePrecision(v1::RadiusPrecision wanted) {
  switch (wanted) {
    case v1::RADIUS_PRECISION_UNSPECIFIED:
    case v1::RADIUS_PRECISION_TIGHT:
      return RadiusPrecision::kTight;
    case v1::RADIUS_PRECISION_FAST:
      return RadiusPrecision::kFast;
    default:
      return InvalidField(
          "radius_precision",
          absl::StrCat("expected RADIUS_PRECISION_TIGHT, RADIUS_PRECISION_FAST or none, got the "
                       "unknown value ",
                       static_cast<int>(wanted)));
  }
}

v1::RadiusPrecision ToProto(RadiusPrecision precision) {
  return precision == RadiusPrecision::kFast ? v1::RADIUS_PRECISION_FAST
                                             : v1::RADIUS_PRECISION_TIGHT;
}

v1::DecisionStage ToProto(DecidedBy decided_by) {
  switch (decided_by) {
    case DecidedBy::kFloat32:
      return v1::DECISION_STAGE_FLOAT32;
    case DecidedBy::kFloat64:
      return v1::DECISION_STAGE_FLOAT64;
    case DecidedBy::kExact:
      return v1::DECISION_STAGE_EXACT;
  }
  return v1::DECISION_STAGE_UNSPECIFIED;
}

v1::RadiusUnit UnitOf(ElementType type) {
  return type == ElementType::kUint8 ? v1::RADIUS_UNIT_PIXEL : v1::RADIUS_UNIT_INPUT;
}

absl::Status DecodeOptions(const v1::ClassifyRequest& request, const ServedModel& model,
                           DecodedImages& images) {
  LIPSERVE_RETURN_IF_ERROR(CheckRequestId("request_id", request.request_id()));
  LIPSERVE_ASSIGN_OR_RETURN(images.precision, DecodePrecision(request.radius_precision()));
  LIPSERVE_ASSIGN_OR_RETURN(images.priority, CheckPriority("priority", request.priority(), model));
  images.timeout = std::chrono::microseconds(0);
  images.epsilon.reset();
  if (!request.has_epsilon()) return absl::OkStatus();
  images.epsilon = request.epsilon();
  return CheckEpsilon("epsilon", request.epsilon());
}

// Writes into an empty `classification`.
void EncodeAnswer(const Answer& answer, const DecodedImages& images, const ServedModel& model,
                  v1::Classification& classification) {
  classification.set_class_index(static_cast<std::int32_t>(answer.class_index));
  classification.set_label(model.frozen().class_labels[answer.class_index]);
  classification.mutable_scores()->Assign(answer.scores.begin(), answer.scores.end());
  classification.set_decided_by(ToProto(answer.decided_by));
  const ProvenAnswer proven = ToRequestUnit(images, model, answer);
  classification.set_margin(proven.margin);
  classification.set_certified_radius_l2(proven.radius_l2);
  if (images.element_type == ElementType::kUint8) {
    classification.set_certified_pixel_radius_squared(SquaredRadiusDown(proven.radius_l2));
  }
  if (images.epsilon.has_value()) classification.set_certified_at_epsilon(proven.certified);
}

}  // namespace

absl::Status DecodeClassifyRequest(const v1::ClassifyRequest& request, const ServedModel& model,
                                   std::size_t max_images, DecodedImages& images) {
  LIPSERVE_RETURN_IF_ERROR(DecodeOptions(request, model, images));
  if (!request.has_images()) {
    return InvalidField("images", "expected a batch of images, got none");
  }
  const v1::ImageBatch& batch = request.images();
  LIPSERVE_ASSIGN_OR_RETURN(const ElementType type, DecodeElementType(batch.element_type()));
  const std::span<const std::int64_t> shape(batch.shape().data(),
                                            static_cast<std::size_t>(batch.shape_size()));
  return DecodeImages({.element_type = type,
                       .type_name = v1::ElementType_Name(batch.element_type()),
                       .shape = shape,
                       .data = batch.data(),
                       .shape_field = "images.shape",
                       .data_field = "images.data"},
                      model, max_images, images);
}

void EncodeClassifyResponse(const v1::ClassifyRequest& request, const DecodedImages& images,
                            const ServedModel& model, std::span<const Answer> answers,
                            v1::ClassifyResponse& response) {
  assert(answers.size() == images.num_images);
  const ScopedStrictFloatingPoint strict;  // radii are converted and compared here
  EncodeModelIdentity(model, *response.mutable_model());
  response.clear_classifications();  // clears the messages and keeps their memory
  for (const Answer& answer : answers) {
    EncodeAnswer(answer, images, model, *response.add_classifications());
  }
  response.set_radius_unit(UnitOf(images.element_type));
  response.set_radius_precision(ToProto(images.precision));
  response.set_request_id(request.request_id());
}

void EncodeModelDescription(const ServedModel& model, std::size_t max_images,
                            v1::DescribeModelResponse& response) {
  const FrozenModel& frozen = model.frozen();
  EncodeModelIdentity(model, *response.mutable_model());
  const SampleShape& shape = frozen.network.input_shape;
  for (const std::size_t size : {shape.channels, shape.height, shape.width}) {
    response.add_input_shape(static_cast<std::int64_t>(size));
  }
  response.mutable_class_labels()->Assign(frozen.class_labels.begin(), frozen.class_labels.end());
  const std::span<const double> bounds = model.certified().layer_lipschitz_bounds();
  for (std::size_t i = 0; i < frozen.network.layers.size(); ++i) {
    v1::LayerDescription& layer = *response.add_layers();
    layer.set_description(DescribeLayerOf(frozen.network, i));
    layer.set_lipschitz_bound(bounds[i]);
  }
  response.set_lipschitz_bound(model.certified().lipschitz_bound());
  *response.mutable_training() = frozen.training;
  response.set_max_images_per_call(static_cast<std::int64_t>(max_images));
}

void EncodeModelIdentity(const ServedModel& model, v1::ModelIdentity& identity) {
  identity.set_name(model.name());
  identity.set_version(model.version());
  identity.set_digest_sha256(model.frozen().digest);
}

}  // namespace lipserve
