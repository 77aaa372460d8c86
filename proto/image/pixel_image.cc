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
