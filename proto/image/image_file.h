// SPDX-License-Identifier: Apache-2.0
// Reads PNG and JPEG pictures.
#ifndef PROTO_IMAGE_IMAGE_FILE_H_
#define PROTO_IMAGE_IMAGE_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/image/pixel_image.h"

namespace lipserve {

// Whether a file's name ends as PNG and JPEG files' names do: .png, .jpg or .jpeg, in either case.
bool IsImageFileName(const std::string& name);

// Reads a PNG or JPEG file; its first bytes tell which, not its name.
//
// Errors: NotFound if the file cannot be opened; InvalidArgument, naming the file, what was
//         expected and found, if it is neither; what ReadPngFile and ReadJpegFile return.
absl::StatusOr<PixelImage> ReadImageFile(const std::string& path);

}  // namespace lipserve

#endif  // PROTO_IMAGE_IMAGE_FILE_H_
