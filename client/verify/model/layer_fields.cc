// SPDX-License-Identifier: Apache-2.0
#include "client/verify/model/layer_fields.h"

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/verify/model/wire_message.h"

namespace lipserve::verify {
namespace {

constexpr FieldRule kWindowAxis[] = {{1, WireType::kVarint, "size"},
                                     {2, WireType::kVarint, "stride"},
                                     {3, WireType::kVarint, "dilation"},
                                     {4, WireType::kVarint, "padding_before"},
                                     {5, WireType::kVarint, "padding_after"}};

}  // namespace

bool IsDimension(std::uint64_t size) { return size >= 1 && size <= kMaxDimension; }

bool IsSample(const Shape& shape) {
  return IsDimension(shape[0]) && IsDimension(shape[1]) && IsDimension(shape[2]) &&
         shape[0] * shape[1] <= kMaxDimension && SizeOf(shape) <= kMaxDimension;
}

std::string TextOf(const Shape& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

absl::StatusOr<ExactVector> ReadNumbers(std::string_view bytes, std::uint64_t size,
                                        const std::string& name) {
  if (bytes.size() != 4 * size) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": expected ", 4 * size, " bytes for ",
                                                   size, " numbers, got ", bytes.size()));
  }
  absl::StatusOr<ExactVector> numbers =
      FromBinary32(std::string(bytes), Binary32Rule::kZeroOrNormal);
  if (!numbers.ok()) return StatusAt(name, numbers.status());
  return numbers;
}

absl::StatusOr<WindowAxis> ReadAxis(std::string_view bytes, PaddingMode mode, std::size_t length) {
  const absl::StatusOr<WireMessage> message = WireMessage::Parse(bytes, kWindowAxis);
  if (!message.ok()) return message.status();
  for (const std::uint32_t field : {1U, 2U, 3U}) {
    if (!IsDimension(message->value(field))) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected size, stride and dilation of 1 to ", kMaxDimension, ", got ",
                       message->value(1), ", ", message->value(2), " and ", message->value(3)));
    }
  }
  const WindowAxis axis{.length = length,
                        .taps = message->value(1),
                        .stride = message->value(2),
                        .dilation = message->value(3),
                        .padding_before = message->value(4),
                        .padding_after = message->value(5),
                        .mode = mode};
  if (axis.padding_before > kMaxDimension || axis.padding_after > kMaxDimension ||
      !axis.IsValid()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected a window within the padded image, and paddings of at most ", kMaxDimension,
        ", of less than the image if reflected, of no more than it if circular; got ", axis.taps,
        " taps with dilation ", axis.dilation, " and paddings ", axis.padding_before, " and ",
        axis.padding_after, " on ", length, " positions"));
  }
  return axis;
}

absl::StatusOr<Shape> ParseShape(std::string_view bytes) {
  const absl::StatusOr<std::vector<std::uint64_t>> numbers = ParsePacked(bytes, 3);
  if (!numbers.ok()) return numbers.status();
  if (numbers->size() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected 3 numbers [C, H, W], got ", numbers->size()));
  }
  const Shape shape = {(*numbers)[0], (*numbers)[1], (*numbers)[2]};
  if (IsSample(shape)) return shape;
  return absl::InvalidArgumentError(
      absl::StrCat("expected [C, H, W] of at least 1 each and at most ", kMaxDimension,
                   " in all, got ", TextOf(shape)));
}

}  // namespace lipserve::verify
