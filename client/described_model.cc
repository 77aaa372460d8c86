// SPDX-License-Identifier: Apache-2.0
#include "client/described_model.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lipserve {

absl::StatusOr<ImageShape> InputShapeOf(const v1::DescribeModelResponse& model) {
  const auto& shape = model.input_shape();
  constexpr std::int64_t kMaxElements = std::int64_t{1} << 24;
  bool is_valid = shape.size() == 3;
  std::int64_t elements = 1;
  for (const std::int64_t axis : shape) {
    is_valid = is_valid && axis >= 1 && axis <= kMaxElements / elements;
    if (is_valid) elements *= axis;
  }
  if (!is_valid) {
    return absl::InternalError(absl::StrCat(
        "model ", model.model().name(), ": input shape: expected [C, H, W] of at most ",
        kMaxElements, " elements, got [", absl::StrJoin(shape, ", "), "]"));
  }
  return ImageShape{shape[0], shape[1], shape[2]};
}

absl::Status CheckPixelDivisorIs255(const v1::DescribeModelResponse& model) {
  const double divisor = model.training().recipe().dataset().pixel_divisor();
  if (divisor == 0.0 || divisor == 255.0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("--as-float: expected a model of pixels / 255, got ", model.model().name(),
                   " of pixels / ", divisor, "; send the pixels instead"));
}

}  // namespace lipserve
