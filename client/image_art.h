// SPDX-License-Identifier: Apache-2.0
// Draws images in a terminal.
#ifndef CLIENT_IMAGE_ART_H_
#define CLIENT_IMAGE_ART_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "client/image_input.h"
#include "client/terminal.h"

namespace lipserve {

// An image to look at.
struct Picture {
  std::size_t width = 0;
  std::size_t height = 0;
  std::vector<std::array<std::uint8_t, 3>> pixels;  // RGB, row-major

  const std::array<std::uint8_t, 3>& at(std::size_t x, std::size_t y) const {
    return pixels[y * width + x];
  }
};

// Image `index` of `set`: three channels are RGB, otherwise the first one is grey. FP32 numbers are
// clamped to [0, 1].
//
// Requires: index < set.origins.size().
Picture PictureOf(const ImageSet& set, std::size_t index);

// Cuts off the border that is black in every picture, all but one pixel, so that more pictures fit
// side by side.
//
// Requires: all pictures have the same size.
void CropCommonBorder(std::vector<Picture>& pictures);

// Shrinks a picture by averaging whole squares of pixels until it is at most `max_width` wide.
//
// Requires: max_width >= 1.
Picture ShrinkToWidth(const Picture& picture, std::size_t max_width);

// Lines that show a picture, two pixel rows per line, `picture.width` columns each: half blocks in
// grey or colour, else half blocks and shades, else ASCII characters.
std::vector<std::string> DrawPicture(const Picture& picture, const TerminalStyle& style);

}  // namespace lipserve

#endif  // CLIENT_IMAGE_ART_H_
