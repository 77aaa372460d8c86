// SPDX-License-Identifier: Apache-2.0
#include "trainer/network/layer_place.h"

#include <cassert>

namespace lipserve::trainer {

absl::Status LayerPlace::CheckVectorInput() const {
  if (input_shape.height == 1 && input_shape.width == 1) return absl::OkStatus();
  return Error(": expected a vector as input, got shape [%d, %d, %d]; put flatten {} before",
               input_shape.channels, input_shape.height, input_shape.width);
}

absl::Status LayerPlace::CheckUnits(std::int64_t units) const {
  if (units < 1) return Error(".units: expected at least 1, got %d", units);
  const std::size_t inputs = input_shape.size();
  assert(inputs > 0);  // a shape is never empty
  if (static_cast<std::size_t>(units) > kMaxKernelSize / inputs) {
    return Error(".units: expected at most %d with %d inputs (2^26 weights), got %d",
                 kMaxKernelSize / inputs, inputs, units);
  }
  return absl::OkStatus();
}

}  // namespace lipserve::trainer
