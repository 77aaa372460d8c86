// SPDX-License-Identifier: Apache-2.0
#include "model/network/window.h"

#include <algorithm>
#include <cassert>

namespace lipserve {

bool IsValidPadding(const WindowAxis& axis, PaddingMode mode, std::size_t length) {
  const std::size_t largest = std::max(axis.padding_before, axis.padding_after);
  switch (mode) {
    case PaddingMode::kZero:
    case PaddingMode::kReplicate:
      return true;
    case PaddingMode::kReflect:
      return largest < length;
    case PaddingMode::kCircular:
      return largest <= length;
  }
  return false;
}

std::optional<std::size_t> SourcePosition(const WindowAxis& axis, PaddingMode mode,
                                          std::size_t length, std::size_t output, std::size_t tap) {
  assert(IsValidPadding(axis, mode, length) && output < axis.outputs(length) && tap < axis.size);
  const std::size_t padded = output * axis.stride + tap * axis.dilation;
  if (padded >= axis.padding_before && padded - axis.padding_before < length) {
    return padded - axis.padding_before;
  }
  const bool before = padded < axis.padding_before;
  // Distance from the nearest border pixel, at least 1.
  const std::size_t distance =
      before ? axis.padding_before - padded : padded - axis.padding_before - (length - 1);
  switch (mode) {
    case PaddingMode::kZero:
      return std::nullopt;
    case PaddingMode::kReflect:
      return before ? distance : length - 1 - distance;
    case PaddingMode::kReplicate:
      return before ? 0 : length - 1;
    case PaddingMode::kCircular:
      return before ? length - distance : distance - 1;
  }
  return std::nullopt;
}

}  // namespace lipserve
