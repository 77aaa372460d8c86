// SPDX-License-Identifier: Apache-2.0
// Reads PNG files as UINT8 pixels.
#ifndef PROTO_IMAGE_PNG_FILE_H_
#define PROTO_IMAGE_PNG_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/image/pixel_image.h"

namespace lipserve {

// Reads a PNG file: grey stays grey, colours and palettes become RGB. Palettes and grey of 1, 2 or
// 4 bits are expanded to 8 bits, 16 bits are rounded to 8. The picture is upright: the orientation
// in a chunk eXIf is applied. Values are taken as stored: no gamma or colour profile is applied.
//
// Errors: NotFound if the file cannot be opened; InvalidArgument if it is no PNG, is damaged, is
//         larger than kMaxImageSide in either direction, or has transparent pixels.
absl::StatusOr<PixelImage> ReadPngFile(const std::string& path);

}  // namespace lipserve

#endif  // PROTO_IMAGE_PNG_FILE_H_
