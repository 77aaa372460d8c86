// SPDX-License-Identifier: Apache-2.0
#include "server/protocols/image_decoding.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/foundation/status_macros.h"
#include "server/operations/request_error.h"

namespace lipserve {
namespace {

static_assert(std::endian::native == std::endian::little, "FP32 bytes are copied as they come");

// Validates the shape and sets N.
absl::Status DecodeShape(const EncodedImages& encoded, const SampleShape& shape,
                         std::size_t max_images, std::size_t& num_images) {
  const std::span<const std::int64_t> got = encoded.shape;
  const auto is = [got](std::size_t axis, std::size_t expected) {
    return std::cmp_equal(got[axis], expected);
  };
  const bool is_nchw =
      got.size() == 4 && is(1, shape.channels) && is(2, shape.height) && is(3, shape.width);
  const bool is_flat = got.size() == 2 && is(1, shape.size());
  if ((!is_nchw && !is_flat) || got[0] < 1) {
    return InvalidField(
        encoded.shape_field,
        absl::StrCat("expected [N, ", shape.channels, ", ", shape.height, ", ", shape.width,
                     "] or [N, ", shape.size(), "] with N at least 1, got ", ShapeText(got)));
  }
  if (std::cmp_greater(got[0], max_images)) {
    return InvalidField(encoded.shape_field,
                        absl::StrCat("expected at most ", max_images, " images per call, got ",
                                     got[0], "; send them in several calls"));
  }
  num_images = static_cast<std::size_t>(got[0]);
  return absl::OkStatus();
}

absl::Status CheckByteCount(const EncodedImages& encoded, std::size_t expected) {
  if (encoded.data.size() == expected) return absl::OkStatus();
  return InvalidField(
      encoded.data_field,
      absl::StrCat("expected ", expected, " bytes for shape ", ShapeText(encoded.shape), " of ",
                   encoded.type_name, ", got ", encoded.data.size()));
}

// Names the first value that is NaN or infinite, if any.
absl::Status CheckFinite(const EncodedImages& encoded, const std::vector<float>& inputs,
                         std::size_t input_size) {
  // The addition carries into the top bit exactly if the exponent is all ones. Almost all inputs
  // pass, and this loop vectorises on any machine.
  constexpr std::uint32_t kTopBit = 0x80000000U;
  std::uint32_t bits = 0;
  for (const float x : inputs) bits |= (std::bit_cast<std::uint32_t>(x) & ~kTopBit) + 0x00800000U;
  if ((bits & kTopBit) == 0) return absl::OkStatus();
  std::size_t i = 0;
  while (std::isfinite(inputs[i])) ++i;
  return InvalidField(
      encoded.data_field,
      absl::StrCat("expected finite numbers, got ",
                   std::isnan(inputs[i]) ? "NaN" : (inputs[i] > 0.0F ? "+infinity" : "-infinity"),
                   " at element ", i % input_size, " of image ", i / input_size));
}

}  // namespace

std::string ShapeText(std::span<const std::int64_t> shape) {
  constexpr std::size_t kMaxShown = 8;
  const std::span<const std::int64_t> shown = shape.first(std::min(shape.size(), kMaxShown));
  const bool cut = shown.size() < shape.size();
  return absl::StrCat("[", absl::StrJoin(shown.begin(), shown.end(), ", "),
                      cut ? absl::StrCat(", ...] of rank ", shape.size()) : "]");
}

absl::Status DecodeImages(const EncodedImages& encoded, const ServedModel& model,
                          std::size_t max_images, DecodedImages& images) {
  LIPSERVE_RETURN_IF_ERROR(
      DecodeShape(encoded, model.frozen().network.input_shape, max_images, images.num_images));
  const std::size_t num_elements = images.num_images * model.input_size();
  images.element_type = encoded.element_type;
  if (encoded.element_type == ElementType::kUint8) {
    if (!model.pixel_scaling()) {
      return InvalidField(
          encoded.data_field,
          "expected FP32 numbers, got UINT8 pixels: this model does not say how they "
          "become its inputs; scale them as its training did");
    }
    LIPSERVE_RETURN_IF_ERROR(CheckByteCount(encoded, num_elements));
    images.inputs.resize(num_elements);
    model.pixel_scaling()->Apply(
        {reinterpret_cast<const std::uint8_t*>(encoded.data.data()), encoded.data.size()},
        images.inputs);
    return absl::OkStatus();
  }
  LIPSERVE_RETURN_IF_ERROR(CheckByteCount(encoded, num_elements * sizeof(float)));
  images.inputs.resize(num_elements);
  std::memcpy(images.inputs.data(), encoded.data.data(), encoded.data.size());
  return CheckFinite(encoded, images.inputs, model.input_size());
}

ProvenAnswer ToRequestUnit(const DecodedImages& images, const ServedModel& model,
                           const Answer& answer) {
  if (answer.stages_disagreed) return {};
  ProvenAnswer proven;
  proven.margin = answer.margin_lower_bound;
  proven.radius_l2 = images.element_type == ElementType::kUint8
                         ? model.pixel_scaling()->PixelRadius(answer.radius_l2)
                         : answer.radius_l2;
  proven.certified = IsCertifiedAt(proven.radius_l2, images.epsilon.value_or(0.0));
  return proven;
}

}  // namespace lipserve
