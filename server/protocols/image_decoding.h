// SPDX-License-Identifier: Apache-2.0
// From the images and options of a request to what the network takes, the same for every protocol:
// checks everything that they can get wrong, once, so that nothing behind it has to.
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

// The images of a request as its message holds them.
struct EncodedImages {
  ElementType element_type = ElementType::kFp32;
  absl::string_view type_name;          // in the words of the protocol
  std::span<const std::int64_t> shape;  // [N, C, H, W] or [N, C*H*W], still to be checked
  std::string_view data;                // row-major, without padding, still to be checked
  absl::string_view shape_field;        // where it is in the message, for errors
  absl::string_view data_field;
};

// Checks `encoded` against `model` and writes inputs, num_images and element_type of `images`,
// which keeps its capacity from call to call.
//
// Errors: InvalidArgument naming the field, what was expected and what was found.
absl::Status DecodeImages(const EncodedImages& encoded, const ServedModel& model,
                          std::size_t max_images, DecodedImages& images);

// "[3, 1, 28, 28]", cut short if a client sent a silly rank.
std::string ShapeText(std::span<const std::int64_t> shape);

// What an answer proves, in the unit of the request.
struct ProvenAnswer {
  double margin = 0.0;
  double radius_l2 = 0.0;
  bool certified = false;  // at the request's epsilon; without one, whether anything is proven
};

// Guarantee: an answer whose stages disagreed proves nothing, whatever radius it has.
// Requires:  the environment of ScopedStrictFloatingPoint; the answer is to one of `images`.
ProvenAnswer ToRequestUnit(const DecodedImages& images, const ServedModel& model,
                           const Answer& answer);

}  // namespace lipserve

#endif  // SERVER_PROTOCOLS_IMAGE_DECODING_H_
