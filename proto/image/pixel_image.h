// SPDX-License-Identifier: Apache-2.0
// Pixels of one picture, as trainer and client take them from PNG and JPEG files.
#ifndef PROTO_IMAGE_PIXEL_IMAGE_H_
#define PROTO_IMAGE_PIXEL_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lipserve {

// Rows of pixels, channels together.
struct PixelImage {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;         // 1: grey, 3: RGB
  std::vector<std::uint8_t> pixels;  // [height, width, channels]
  int orientation = 1;               // of its EXIF data, which was applied; 1: stored upright
};

// Larger pictures are refused: nothing here resizes them, and models are far smaller.
inline constexpr std::int64_t kMaxImageSide = 4096;

// The picture as it is to be seen: turned and mirrored as EXIF orientation `orientation` says. 5 to
// 8 swap height and width. Sets image.orientation.
//
// Source:   EXIF 2.32, section 4.6.4: which sides are the stored row 0 and column 0.
// Requires: orientation is 1 to 8.
PixelImage Upright(PixelImage image, int orientation);

// ", turned upright by its EXIF orientation 6", or "" if it was stored upright. For messages on a
// size, which is not the one that other programs may show.
std::string OrientationText(const PixelImage& image);

// Grey becomes RGB by repeating it; RGB becomes grey as (299 R + 587 G + 114 B + 500) / 1000
// (ITU-R BT.601), which keeps R = G = B.
//
// Requires: channels is 1 or 3.
PixelImage WithChannels(PixelImage image, std::int64_t channels);

// Writes the picture to `planes` as models take it: [channels, height, width].
//
// Shapes: planes: as many values as image.pixels.
void CopyToPlanes(const PixelImage& image, std::uint8_t* planes);

}  // namespace lipserve

#endif  // PROTO_IMAGE_PIXEL_IMAGE_H_
