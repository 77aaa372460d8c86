// SPDX-License-Identifier: Apache-2.0
// Trusted: fields that several layers of a model file have.
#ifndef CLIENT_VERIFY_MODEL_LAYER_FIELDS_H_
#define CLIENT_VERIFY_MODEL_LAYER_FIELDS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/verify/exact/exact_number.h"
#include "client/verify/model/layer.h"
#include "client/verify/model/window_axis.h"

namespace lipserve::verify {

// The largest size of a sample, and of anything that a layer says of itself.
inline constexpr std::size_t kMaxDimension = std::size_t{1} << 22;

bool IsDimension(std::uint64_t size);

// Whether the shape is one of a sample: at most kMaxDimension numbers.
bool IsSample(const Shape& shape);

// "[C, H, W]".
std::string TextOf(const Shape& shape);

// Errors of the readers: InvalidArgument, saying what was expected and what was found.

// The binary32 numbers of a field, as many as `size`.
absl::StatusOr<ExactVector> ReadNumbers(std::string_view bytes, std::uint64_t size,
                                        const std::string& name);

// The window, a WindowAxis message, along an axis of `length` positions.
absl::StatusOr<WindowAxis> ReadAxis(std::string_view bytes, PaddingMode mode, std::size_t length);

// The numbers of a packed field [C, H, W]. Guarantee: IsSample.
absl::StatusOr<Shape> ParseShape(std::string_view bytes);

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_MODEL_LAYER_FIELDS_H_
