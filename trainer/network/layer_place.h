// SPDX-License-Identifier: Apache-2.0
// The place in a recipe of a layer that is being built, so that errors can name it. Also the limits
// that several layers share.
#ifndef TRAINER_NETWORK_LAYER_PLACE_H_
#define TRAINER_NETWORK_LAYER_PLACE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "model/network/frozen_network.h"

namespace lipserve::trainer {

// More numbers in one kernel (256 MiB) are treated as a typing error.
inline constexpr std::size_t kMaxKernelSize = std::size_t{1} << 26;

// The layer that is being built; its errors start with its place in the recipe.
struct LayerPlace {
  std::size_t index;
  std::string type;
  SampleShape input_shape;

  template <typename... Args>
  absl::Status Error(const absl::FormatSpec<Args...>& format, const Args&... args) const {
    return absl::InvalidArgumentError(absl::StrFormat("layers[%d].%s", index, type) +
                                      absl::StrFormat(format, args...));
  }

  // InvalidArgument unless the input is a vector.
  absl::Status CheckVectorInput() const;
  // InvalidArgument unless `units` are a number of outputs that a dense layer can have.
  absl::Status CheckUnits(std::int64_t units) const;

  // The place of the message `field` inside this one.
  LayerPlace Inside(const char* field) const { return {index, type + "." + field, input_shape}; }
};

}  // namespace lipserve::trainer

#endif  // TRAINER_NETWORK_LAYER_PLACE_H_
