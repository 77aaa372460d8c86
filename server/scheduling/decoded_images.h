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

// How the numbers of an image are stored, and so the unit of its radius.
enum class ElementType {
  kUint8,  // pixels 0..255; radii are in pixel steps
  kFp32,   // numbers as the network takes them, little-endian; radii are in their unit
};

// The images of a request as the network takes them, and what the request asks about them.
struct DecodedImages {
  std::vector<float> inputs;  // [num_images, input size of the model], all finite
  std::size_t num_images = 0;
  ElementType element_type = ElementType::kFp32;
  std::optional<double> epsilon;  // in the unit of the radii
  RadiusPrecision precision = RadiusPrecision::kTight;
  std::chrono::microseconds timeout{0};  // longest wait; 0: as the call's deadline allows
  int priority = kDefaultPriority;       // 1 to kPriorityLevels
};

}  // namespace lipserve

#endif  // SERVER_SCHEDULING_DECODED_IMAGES_H_
