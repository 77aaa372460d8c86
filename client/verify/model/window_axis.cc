// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model/window_axis.h"

#include <algorithm>
#include <cassert>

namespace lipserve::verify {

bool WindowAxis::IsValid() const {
  const std::size_t last_tap = dilation * (taps - 1);
  if (last_tap >= padded()) return false;
  const std::size_t padding = std::max(padding_before, padding_after);
  if (mode == PaddingMode::kReflect) return padding < length;
  if (mode == PaddingMode::kCircular) return padding <= length;
  return true;
}

std::size_t WindowAxis::outputs() const {
  const std::size_t last_tap = dilation * (taps - 1);
  return (padded() - 1 - last_tap) / stride + 1;
}

std::optional<std::size_t> WindowAxis::Source(std::size_t output, std::size_t tap) const {
  assert(output < outputs() && tap < taps);
  const auto end = static_cast<std::int64_t>(length);
  std::int64_t position = static_cast<std::int64_t>(output * stride + tap * dilation) -
                          static_cast<std::int64_t>(padding_before);
  if (position < 0 || position >= end) {
    switch (mode) {
      case PaddingMode::kZero:
        return std::nullopt;
      case PaddingMode::kReflect:
        position = position < 0 ? -position : 2 * (end - 1) - position;
        break;
      case PaddingMode::kReplicate:
        position = std::clamp<std::int64_t>(position, 0, end - 1);
        break;
      case PaddingMode::kCircular:
        position += position < 0 ? end : -end;
        break;
    }
  }
  return static_cast<std::size_t>(position);
}

}  // namespace lipserve::verify
