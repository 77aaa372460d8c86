// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_SCHEDULING_DECODED_IMAGES_H_
#define SERVER_SCHEDULING_DECODED_IMAGES_H_

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "model/certified_model.h"
#include "server/repository/priority.h"

namespace lipserve {

// How the numbers of an image are stored. It also decides the unit of the radius.
enum class ElementType {
  kUint8,  // pixels 0..255; radii are in pixel steps
  kFp32,   // inputs of the network, little-endian; radii are in the unit of the inputs
};

// The images of a request, as inputs of the network, and the options of the request.
struct DecodedImages {
  std::vector<float> inputs;  // [num_images, input size of the model], all finite
  std::size_t num_images = 0;
  ElementType element_type = ElementType::kFp32;
  std::optional<double> epsilon;  // in the unit of the radii
  RadiusPrecision precision = RadiusPrecision::kTight;
  std::chrono::microseconds timeout{0};  // longest wait; 0: only the call's deadline
  int priority = kDefaultPriority;       // 1 to kPriorityLevels
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_DECODED_IMAGES_H_
