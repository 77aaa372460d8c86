// SPDX-License-Identifier: Apache-2.0
// Decodes the images of a request to inputs of the network, for every protocol. Everything that a
// client can get wrong is checked here, once.
#ifndef SERVER_PROTOCOLS_IMAGE_DECODING_H_
#define SERVER_PROTOCOLS_IMAGE_DECODING_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/certified_model.h"
#include "server/repository/served_model.h"
#include "server/scheduling/decoded_images.h"

namespace lipserve {

// The images of a request as its message holds them, not yet validated.
struct EncodedImages {
  ElementType element_type = ElementType::kFp32;
  absl::string_view type_name;          // as the protocol names it
  std::span<const std::int64_t> shape;  // [N, C, H, W] or [N, C*H*W]
  std::string_view data;                // row-major, without padding
  absl::string_view shape_field;        // names of the fields, for errors
  absl::string_view data_field;
};

// Validates `encoded` against `model`, and sets inputs, num_images and element_type of `images`,
// which reuses its memory from call to call.
//
// Errors: InvalidArgument naming the field, what was expected and what was found.
absl::Status DecodeImages(const EncodedImages& encoded, const ServedModel& model,
                          std::size_t max_images, DecodedImages& images);

// The shape as text, e.g. "[3, 1, 28, 28]". A very high rank is cut short.
std::string ShapeText(std::span<const std::int64_t> shape);

// What an answer proves, in the unit of the request: pixel steps or input units.
struct ProvenAnswer {
  double margin = 0.0;
  double radius_l2 = 0.0;
  bool certified = false;  // at the request's epsilon, or at 0 without one
};

// Converts what `answer` proves to the unit of the request.
//
// Guarantee: an answer whose stages disagreed proves nothing, whatever radius it has.
// Requires:  the environment of ScopedStrictFloatingPoint; the answer is to one of `images`.
ProvenAnswer ToRequestUnit(const DecodedImages& images, const ServedModel& model,
                           const Answer& answer);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_IMAGE_DECODING_H_
