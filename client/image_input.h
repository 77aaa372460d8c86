// SPDX-License-Identifier: Apache-2.0
// Turns input arguments into one batch of images: idx, PNG and JPEG files, raw float32 numbers.
#ifndef CLIENT_IMAGE_INPUT_H_
#define CLIENT_IMAGE_INPUT_H_

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipserve/v1/classifier.pb.h"

namespace lipserve {

// Shape of one image.
struct ImageShape {
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;

  std::size_t size() const { return static_cast<std::size_t>(channels * height * width); }
  std::string text() const;  // "1x28x28"
};

// Where an image came from.
struct ImageOrigin {
  std::string file;
  std::int64_t index = 0;             // position in the file, from 0
  std::optional<std::int64_t> label;  // from the labels file
};

// Images of one shape and element type.
struct ImageSet {
  v1::ElementType element_type = v1::ELEMENT_TYPE_UNSPECIFIED;
  ImageShape shape;
  std::string data;  // [N, C, H, W] in the bytes of v1::ImageBatch
  std::vector<ImageOrigin> origins;

  v1::ImageBatch ToBatch() const;
};

// Which images to read, and how to send them.
struct ImageInputOptions {
  // The kind follows from the name: *.png, *.jpg and *.jpeg are PNG or JPEG, *.f32 and "-"
  // (standard input) are raw little-endian float32 numbers, everything else is idx, plain or
  // gzipped. A trailing range selects images of an idx or raw input.
  std::vector<std::string> inputs = {};
  // idx files with one label per image, one for each input, in order; or none.
  std::vector<std::string> label_files = {};
  std::vector<std::int64_t> only_labels = {};  // keep images with these labels; empty keeps all
  std::optional<std::int64_t> limit = {};      // keep the first this many
  bool as_float = false;                       // send pixel p as the float32 nearest p / 255
};

// Reads, selects (range, then label, then limit) and joins the inputs.
//
// Shapes: idx: [N, H, W] for one channel, or [N, C, H, W]; PNG and JPEG: H x W, converted to C
//         channels by pixel_image.h; raw: N * C * H * W numbers.
// Errors: of the readers; InvalidArgument or OutOfRange, naming the file, expected and got, for
//         another shape, a byte count that is no whole number of images, labels that do not match
//         their file, pixels and floats in one batch, or nothing selected.
absl::StatusOr<ImageSet> LoadImages(const ImageInputOptions& options, const ImageShape& shape,
                                    std::istream& standard_input);

}  // namespace lipserve

#endif  // CLIENT_IMAGE_INPUT_H_
