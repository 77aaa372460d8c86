// SPDX-License-Identifier: Apache-2.0
#include "server/request_codec.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/certificate/outward_rounding.h"
#include "model/certificate/pixel_scaling.h"
#include "model/status_macros.h"

namespace lipserve {
namespace {

static_assert(std::endian::native == std::endian::little, "FP32 bytes are copied as they come");

constexpr std::size_t kMaxRequestIdBytes = 128;

// "[3, 1, 28, 28]", cut short if a client sent a silly rank.
std::string ShapeText(const v1::ImageBatch& batch) {
  constexpr int kMostShown = 8;
  const auto begin = batch.shape().begin();
  const bool cut = batch.shape_size() > kMostShown;
  return absl::StrCat(
      "[", absl::StrJoin(begin, begin + std::min(batch.shape_size(), kMostShown), ", "),
      cut ? ", ...] of rank " : "]", cut ? absl::StrCat(batch.shape_size()) : std::string());
}

absl::Status WrongShape(const v1::ImageBatch& batch, const SampleShape& shape) {
  return absl::InvalidArgumentError(absl::StrCat(
      "images.shape: expected [N, ", shape.channels, ", ", shape.height, ", ", shape.width,
      "] or [N, ", shape.size(), "] with N at least 1, got ", ShapeText(batch)));
}

// Checks images.shape and finds N.
absl::Status DecodeShape(const v1::ImageBatch& batch, const SampleShape& shape,
                         std::size_t max_images, std::size_t& num_images) {
  const auto is = [&batch](int axis, std::size_t expected) {
    return std::cmp_equal(batch.shape(axis), expected);
  };
  const bool is_nchw =
      batch.shape_size() == 4 && is(1, shape.channels) && is(2, shape.height) && is(3, shape.width);
  const bool is_flat = batch.shape_size() == 2 && is(1, shape.size());
  if ((!is_nchw && !is_flat) || batch.shape(0) < 1) return WrongShape(batch, shape);
  if (std::cmp_greater(batch.shape(0), max_images)) {
    return absl::InvalidArgumentError(absl::StrCat("images.shape: expected at most ", max_images,
                                                   " images per call, got ", batch.shape(0),
                                                   "; send them in several calls"));
  }
  num_images = static_cast<std::size_t>(batch.shape(0));
  return absl::OkStatus();
}

absl::Status CheckByteCount(const v1::ImageBatch& batch, std::size_t element_bytes,
                            std::size_t num_elements) {
  const std::size_t expected = num_elements * element_bytes;
  if (batch.data().size() == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "images.data: expected ", expected, " bytes for shape ", ShapeText(batch), " of ",
      v1::ElementType_Name(batch.element_type()), ", got ", batch.data().size()));
}

// Names the first value that is NaN or infinite, if any.
absl::Status CheckFinite(const std::vector<float>& inputs, std::size_t input_size) {
  // The addition carries into the top bit exactly where the exponent is all ones. Almost all inputs
  // pass, and this loop vectorises on any machine.
  constexpr std::uint32_t kTopBit = 0x80000000U;
  std::uint32_t bits = 0;
  for (const float x : inputs) bits |= (std::bit_cast<std::uint32_t>(x) & ~kTopBit) + 0x00800000U;
  if ((bits & kTopBit) == 0) return absl::OkStatus();
  std::size_t i = 0;
  while (std::isfinite(inputs[i])) ++i;
  return absl::InvalidArgumentError(
      absl::StrCat("images.data: expected finite numbers, got ",
                   std::isnan(inputs[i]) ? "NaN" : (inputs[i] > 0.0F ? "+infinity" : "-infinity"),
                   " at element ", i % input_size, " of image ", i / input_size));
}

absl::Status DecodeElements(const v1::ImageBatch& batch, const ServedModel& model,
                            DecodedImages& images) {
  const std::size_t num_elements = images.num_images * model.input_size();
  const std::string& data = batch.data();
  switch (batch.element_type()) {
    case v1::ELEMENT_TYPE_UINT8: {
      LIPSERVE_RETURN_IF_ERROR(CheckByteCount(batch, 1, num_elements));
      images.radius_unit = v1::RADIUS_UNIT_PIXEL;
      images.inputs.resize(num_elements);
      model.pixel_scaling().Apply({reinterpret_cast<const std::uint8_t*>(data.data()), data.size()},
                                  images.inputs);
      return absl::OkStatus();
    }
    case v1::ELEMENT_TYPE_FP32:
      LIPSERVE_RETURN_IF_ERROR(CheckByteCount(batch, sizeof(float), num_elements));
      images.radius_unit = v1::RADIUS_UNIT_INPUT;
      images.inputs.resize(num_elements);
      std::memcpy(images.inputs.data(), data.data(), data.size());
      return CheckFinite(images.inputs, model.input_size());
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "images.element_type: expected ELEMENT_TYPE_UINT8 (pixels 0..255) or ELEMENT_TYPE_FP32, "
          "got ",
          batch.element_type() == v1::ELEMENT_TYPE_UNSPECIFIED
              ? "none"
              : absl::StrCat("the unknown value ", static_cast<int>(batch.element_type()))));
  }
}

absl::Status DecodePrecision(v1::RadiusPrecision wanted, RadiusPrecision& precision) {
  switch (wanted) {
    case v1::RADIUS_PRECISION_UNSPECIFIED:
    case v1::RADIUS_PRECISION_TIGHT:
      precision = RadiusPrecision::kTight;
      return absl::OkStatus();
    case v1::RADIUS_PRECISION_FAST:
      precision = RadiusPrecision::kFast;
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("radius_precision: expected RADIUS_PRECISION_TIGHT, RADIUS_PRECISION_FAST "
                       "or none, got the unknown value ",
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

absl::Status DecodeOptions(const v1::ClassifyRequest& request, DecodedImages& images) {
  if (request.request_id().size() > kMaxRequestIdBytes) {
    return absl::InvalidArgumentError(absl::StrCat("request_id: expected at most ",
                                                   kMaxRequestIdBytes, " bytes, got ",
                                                   request.request_id().size()));
  }
  LIPSERVE_RETURN_IF_ERROR(DecodePrecision(request.radius_precision(), images.precision));
  images.epsilon.reset();
  if (!request.has_epsilon()) return absl::OkStatus();
  if (!std::isfinite(request.epsilon()) || request.epsilon() < 0.0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "epsilon: expected a finite L2 radius that is not negative, got ", request.epsilon()));
  }
  images.epsilon = request.epsilon();
  return absl::OkStatus();
}

// The largest radius in the request's unit that the answer proves.
double RadiusInUnit(double radius_l2, v1::RadiusUnit unit, const ServedModel& model) {
  return unit == v1::RADIUS_UNIT_PIXEL ? model.pixel_scaling().PixelRadius(radius_l2) : radius_l2;
}

// Writes into an empty `classification`.
void EncodeAnswer(const Answer& answer, const DecodedImages& images, const ServedModel& model,
                  v1::Classification& classification) {
  classification.set_class_index(static_cast<std::int32_t>(answer.class_index));
  classification.set_label(model.frozen().class_labels[answer.class_index]);
  classification.mutable_scores()->Assign(answer.scores.begin(), answer.scores.end());
  classification.set_decided_by(ToProto(answer.decided_by));
  const bool proven = !answer.stages_disagreed;
  classification.set_margin(proven ? answer.margin_lower_bound : 0.0);
  const double radius = proven ? RadiusInUnit(answer.radius_l2, images.radius_unit, model) : 0.0;
  classification.set_certified_radius_l2(radius);
  if (images.radius_unit == v1::RADIUS_UNIT_PIXEL) {
    classification.set_certified_pixel_radius_squared(SquaredRadiusDown(radius));
  }
  if (images.epsilon.has_value()) {
    classification.set_certified_at_epsilon(IsCertifiedAt(radius, *images.epsilon));
  }
}

}  // namespace

absl::Status DecodeClassifyRequest(const v1::ClassifyRequest& request, const ServedModel& model,
                                   std::size_t max_images, DecodedImages& images) {
  LIPSERVE_RETURN_IF_ERROR(DecodeOptions(request, images));
  if (!request.has_images()) {
    return absl::InvalidArgumentError("images: expected a batch of images, got none");
  }
  LIPSERVE_RETURN_IF_ERROR(DecodeShape(request.images(), model.frozen().network.input_shape,
                                       max_images, images.num_images));
  return DecodeElements(request.images(), model, images);
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
  response.set_radius_unit(images.radius_unit);
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
    layer.set_description(DescribeLayer(frozen.network.layers[i]));
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
