// SPDX-License-Identifier: Apache-2.0
// Trusted: says which positions of an image a convolution reads. The exact scores and the proof of
// its norm both use it.
#ifndef CLIENT_VERIFY_MODEL_WINDOW_AXIS_H_
#define CLIENT_VERIFY_MODEL_WINDOW_AXIS_H_

#include <cstddef>
#include <cstdint>
#include <optional>

namespace lipserve::verify {

// What an image is outside its borders; the numbers are those of the format.
enum class PaddingMode : std::uint64_t {
  kZero = 1,
  kReflect = 2,    // c b | a b c | b a
  kReplicate = 3,  // a a | a b c | c c
  kCircular = 4    // b c | a b c | a b
};

// How a window slides along one axis of an image.
struct WindowAxis {
  std::size_t length = 1;    // of the image
  std::size_t taps = 1;      // of the window
  std::size_t stride = 1;    // positions from one output to the next
  std::size_t dilation = 1;  // positions from one tap to the next
  std::size_t padding_before = 0;
  std::size_t padding_after = 0;
  PaddingMode mode = PaddingMode::kZero;

  // Positions of the image with its padding.
  std::size_t padded() const { return padding_before + length + padding_after; }
  // Whether the window fits into the padded image and every position of the padding has a source.
  //
  // Requires: taps, stride and dilation of at least 1; no number above 2^22.
  bool IsValid() const;
  // Outputs along the axis. Requires: IsValid().
  std::size_t outputs() const;
  // The position that `output` reads through `tap`, or nothing where it reads a zero.
  //
  // Requires: IsValid(), output < outputs(), tap < taps.
  std::optional<std::size_t> Source(std::size_t output, std::size_t tap) const;
};

}  // namespace lipserve::verify

#endif  // CLIENT_VERIFY_MODEL_WINDOW_AXIS_H_
