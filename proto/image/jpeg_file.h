// SPDX-License-Identifier: Apache-2.0
// Reads JPEG files as UINT8 pixels.
#ifndef PROTO_IMAGE_JPEG_FILE_H_
#define PROTO_IMAGE_JPEG_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/image/pixel_image.h"

namespace lipserve {

// Reads a JPEG file, baseline or progressive: grey stays grey, everything else becomes RGB. The
// pixels are those of libjpeg-turbo's exact integer transform, so that trainer and client see the
// same picture. The picture is upright: its EXIF orientation is applied. Values are taken as
// stored: no colour profile is applied.
//
// Errors: NotFound if the file cannot be opened; InvalidArgument if it is no JPEG, is damaged even
//         in a way that decoders usually forgive (so is its EXIF data), is larger than
//         kMaxImageSide in either direction, or is stored as CMYK.
absl::StatusOr<PixelImage> ReadJpegFile(const std::string& path);

}  // namespace lipserve

#endif  // PROTO_IMAGE_JPEG_FILE_H_
