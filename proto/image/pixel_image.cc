// SPDX-License-Identifier: Apache-2.0
#include "proto/image/pixel_image.h"

#include <cassert>
#include <utility>

namespace lipserve {
namespace {

std::uint8_t Luma(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((299U * rgb[0] + 587U * rgb[1] + 114U * rgb[2] + 500U) / 1000U);
}

}  // namespace

PixelImage Upright(PixelImage image, int orientation) {
  assert(orientation >= 1 && orientation <= 8);
  image.orientation = orientation;
  if (orientation == 1) return image;
  const bool swaps = orientation >= 5;
  // Whether stored row 0 is the last one that is seen (or column, if they swap), and column 0.
  const bool rows_backwards =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool columns_backwards = orientation == 2 || orientation == 3 || orientation >= 7;
  PixelImage upright;
  upright.height = swaps ? image.width : image.height;
  upright.width = swaps ? image.height : image.width;
  upright.channels = image.channels;
  upright.orientation = orientation;
  upright.pixels.reserve(image.pixels.size());
  for (std::int64_t y = 0; y < upright.height; ++y) {
    for (std::int64_t x = 0; x < upright.width; ++x) {
      const std::int64_t along_rows = swaps ? x : y;
      const std::int64_t along_columns = swaps ? y : x;
      const std::int64_t row = rows_backwards ? image.height - 1 - along_rows : along_rows;
      const std::int64_t column =
          columns_backwards ? image.width - 1 - along_columns : along_columns;
      const auto pixel = image.pixels.begin() + (row * image.width + column) * image.channels;
      upright.pixels.insert(upright.pixels.end(), pixel, pixel + image.channels);
    }
  }
  return upright;
}

std::string OrientationText(const PixelImage& image) {
  if (image.orientation == 1) return "";
  return ", turned upright by its EXIF orientation " + std::to_string(image.orientation);
}

PixelImage WithChannels(PixelImage image, std::int64_t channels) {
  assert(channels == 1 || channels == 3);
  if (image.channels == channels) return image;
  std::vector<std::uint8_t> pixels;
  if (channels == 3) {
    pixels.reserve(image.pixels.size() * 3);
    for (const std::uint8_t grey : image.pixels) pixels.insert(pixels.end(), 3, grey);
  } else {
    pixels.reserve(image.pixels.size() / 3);
    for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
      pixels.push_back(Luma(image.pixels.data() + i));
    }
  }
  image.pixels = std::move(pixels);
  image.channels = channels;
  return image;
}

void CopyToPlanes(const PixelImage& image, std::uint8_t* planes) {
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t plane = image.pixels.size() / channels;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    planes[(i % channels) * plane + i / channels] = image.pixels[i];
  }
}

}  // namespace lipserve
