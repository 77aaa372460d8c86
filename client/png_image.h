// SPDX-License-Identifier: Apache-2.0
// Reads PNG files as the UINT8 pixels that a model takes.
#ifndef CLIENT_PNG_IMAGE_H_
#define CLIENT_PNG_IMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lipserve {

// An image as rows of pixels, channels together.
struct PngImage {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;         // as asked for
  std::vector<std::uint8_t> pixels;  // [height, width, channels]
};

// Reads a PNG file and converts it to `channels`:
//   palettes and grey of 1, 2 or 4 bits are expanded to 8; 16 bits are rounded to 8;
//   grey becomes RGB by repeating it;
//   RGB becomes grey as (299 R + 587 G + 114 B + 500) / 1000 (ITU-R BT.601), which keeps R = G = B;
//   values are taken as stored: no gamma or colour profile is applied.
//
// Requires: channels is 1 or 3.
// Errors:   NotFound if the file cannot be opened; InvalidArgument if it is no PNG, is damaged, is
//           larger than 4096 pixels in either direction, or has transparent pixels.
absl::StatusOr<PngImage> ReadPngFile(const std::string& path, std::int64_t channels);

}  // namespace lipserve

#endif  // CLIENT_PNG_IMAGE_H_
