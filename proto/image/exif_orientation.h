// SPDX-License-Identifier: Apache-2.0
// How a camera held a picture, from the EXIF data in its file.
#ifndef PROTO_IMAGE_EXIF_ORIENTATION_H_
#define PROTO_IMAGE_EXIF_ORIENTATION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace lipserve {

// The tag "Orientation" (0x0112) in the first directory of a TIFF structure, which is what EXIF
// data is. Phones store pixels as the sensor gives them and say here which way is up.
struct ExifOrientation {
  int value = 1;      // 1 to 8 as PixelImage's Upright takes it; 1 if there is no tag, or it is 0
  std::string error;  // what is wrong with the data, or ""
};

// Larger data is an error: a JPEG segment holds less.
inline constexpr std::size_t kMaxExifBytes = std::size_t{1} << 16U;

// Reads `tiff`: "II" or "MM", 42, the offset of a directory of 12-byte entries. Nothing else in it
// is looked at.
//
// Source:    TIFF 6.0, section 2; EXIF 2.32, section 4.6.4.
// Guarantee: reads only bytes of `tiff`, each at most once for every entry of the directory.
ExifOrientation ReadExifOrientation(std::span<const std::uint8_t> tiff);

}  // namespace lipserve

#endif  // PROTO_IMAGE_EXIF_ORIENTATION_H_
