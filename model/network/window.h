// SPDX-License-Identifier: Apache-2.0
// Soundness rests on this file: it says which numbers a convolution reads. Every evaluation and the
// proof of its norm use it.
#ifndef MODEL_NETWORK_WINDOW_H_
#define MODEL_NETWORK_WINDOW_H_

#include <cstddef>
#include <optional>

namespace lipserve {

// What an image is outside its borders.
enum class PaddingMode {
  kZero,
  kReflect,    // c b | a b c | b a
  kReplicate,  // a a | a b c | c c
  kCircular,   // b c | a b c | a b
};

// How a window slides along one axis of an image.
struct WindowAxis {
  std::size_t size = 1;      // taps
  std::size_t stride = 1;    // positions from one output to the next
  std::size_t dilation = 1;  // positions from one tap to the next
  std::size_t padding_before = 0;
  std::size_t padding_after = 0;

  // Positions from the first tap to the last, both included.
  std::size_t extent() const { return dilation * (size - 1) + 1; }
  // Positions of an image of `length` with its padding.
  std::size_t padded(std::size_t length) const { return length + padding_before + padding_after; }
  // Outputs along an axis of `length` positions; 0 if the window does not fit or is no window.
  std::size_t outputs(std::size_t length) const {
    if (size == 0 || stride == 0) return 0;
    return padded(length) < extent() ? 0 : (padded(length) - extent()) / stride + 1;
  }
};

// Whether every position within the padding has a source. Reflection needs paddings below `length`,
// circular padding needs paddings of at most `length`.
bool IsValidPadding(const WindowAxis& axis, PaddingMode mode, std::size_t length);

// The position of the image that output `output` reads through tap `tap`, or nothing where it
// reads a zero.
//
// Requires: IsValidPadding(axis, mode, length), output < axis.outputs(length), tap < axis.size.
std::optional<std::size_t> SourcePosition(const WindowAxis& axis, PaddingMode mode,
                                          std::size_t length, std::size_t output, std::size_t tap);

}  // namespace lipserve

#endif  // MODEL_NETWORK_WINDOW_H_
