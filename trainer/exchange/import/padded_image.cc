// SPDX-License-Identifier: Apache-2.0
#include "trainer/exchange/import/padded_image.h"

#include <array>
#include <cassert>
#include <cstdint>

namespace lipserve::exchange {
namespace {

// For each position along an axis of the view, the position of the source; -1 for constants.
using AxisMap = std::vector<std::int64_t>;

struct ImageMap {
  std::vector<std::size_t> channels;
  AxisMap rows;
  AxisMap columns;
};

// What the index of a view would be, if it moved whole channels, rows and columns.
ImageMap MapOf(const View& view, const SampleShape& shape) {
  const auto height = static_cast<std::size_t>(view.dims[1]);
  const auto width = static_cast<std::size_t>(view.dims[2]);
  ImageMap map{.channels = std::vector<std::size_t>(static_cast<std::size_t>(view.dims[0]), 0),
               .rows = AxisMap(height, -1),
               .columns = AxisMap(width, -1)};
  for (std::size_t i = 0; i < view.size(); ++i) {
    if (view.IsConstant(i)) continue;
    const std::size_t element = view.index[i];
    map.channels[i / (height * width)] = element / (shape.height * shape.width);
    map.rows[i / width % height] = static_cast<std::int64_t>(element / shape.width % shape.height);
    map.columns[i % width] = static_cast<std::int64_t>(element % shape.width);
  }
  return map;
}

bool Describes(const ImageMap& map, const View& view, const SampleShape& shape) {
  std::size_t i = 0;
  for (const std::size_t channel : map.channels) {
    for (const std::int64_t row : map.rows) {
      for (const std::int64_t column : map.columns) {
        const std::uint32_t expected =
            row < 0 || column < 0
                ? kNoElement
                : static_cast<std::uint32_t>(
                      (channel * shape.height + static_cast<std::size_t>(row)) * shape.width +
                      static_cast<std::size_t>(column));
        if (view.index[i++] != expected) return false;
      }
    }
  }
  return true;
}

// The paddings in `mode` that give `map`, if there are any.
std::optional<WindowAxis> PaddingOf(const AxisMap& map, PaddingMode mode, std::size_t length) {
  if (map.size() < length) return std::nullopt;
  for (std::size_t before = 0; before + length <= map.size(); ++before) {
    const WindowAxis axis = {.padding_before = before,
                             .padding_after = map.size() - length - before};
    if (map[before] != 0 || !IsValidPadding(axis, mode, length)) continue;
    bool fits = true;
    for (std::size_t at = 0; at < map.size() && fits; ++at) {
      const auto source = SourcePosition(axis, mode, length, at, 0);
      fits = map[at] == (source ? static_cast<std::int64_t>(*source) : -1);
    }
    if (fits) return axis;
  }
  return std::nullopt;
}

}  // namespace

std::optional<PaddedImage> AsPaddedImage(const View& view, const SampleShape& shape) {
  assert(view.dims.size() == 3);
  ImageMap map = MapOf(view, shape);
  if (!Describes(map, view, shape)) return std::nullopt;
  constexpr std::array kModes = {PaddingMode::kZero, PaddingMode::kReflect, PaddingMode::kReplicate,
                                 PaddingMode::kCircular};
  for (const PaddingMode mode : kModes) {
    const auto vertical = PaddingOf(map.rows, mode, shape.height);
    const auto horizontal = PaddingOf(map.columns, mode, shape.width);
    if (!vertical || !horizontal) continue;
    return PaddedImage{.channels = std::move(map.channels),
                       .vertical = *vertical,
                       .horizontal = *horizontal,
                       .mode = mode};
  }
  return std::nullopt;
}

}  // namespace lipserve::exchange
