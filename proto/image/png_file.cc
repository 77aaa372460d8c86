// SPDX-License-Identifier: Apache-2.0
#include "proto/image/png_file.h"

#include <png.h>

#include <cerrno>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/image/exif_orientation.h"

namespace lipserve {
namespace {

constexpr std::size_t kRgba = 4;

// One decoding. Everything that libpng's longjmp may skip over lives here, not on the stack.
struct PngDecoder {
  PngDecoder() = default;
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;
  ~PngDecoder() {
    png_destroy_read_struct(&png, &info, nullptr);
    if (file != nullptr) std::fclose(file);
  }

  std::FILE* file = nullptr;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string error;
  std::size_t width = 0;
  std::size_t height = 0;
  bool is_grey = false;
  std::vector<std::uint8_t> rgba;  // [height, width, 4]
  std::vector<png_bytep> rows;
  std::vector<std::uint8_t> exif;  // of the chunk eXIf, or empty
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  static_cast<PngDecoder*>(png_get_error_ptr(png))->error = message;
  png_longjmp(png, 1);
}

void OnWarning(png_structp /*png*/, png_const_charp /*message*/) {}

// Asks libpng for 8-bit RGBA, whatever is stored.
void RequestRgba(PngDecoder& decoder) {
  png_set_scale_16(decoder.png);
  png_set_expand(decoder.png);
  png_set_gray_to_rgb(decoder.png);
  png_set_add_alpha(decoder.png, 0xff, PNG_FILLER_AFTER);
  png_set_interlace_handling(decoder.png);
  png_read_update_info(decoder.png, decoder.info);
}

// Returns false with decoder.error set if the file is no readable PNG.
bool Decode(PngDecoder& decoder) {
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  png_set_user_limits(decoder.png, kMaxImageSide, kMaxImageSide);
  png_init_io(decoder.png, decoder.file);
  png_read_info(decoder.png, decoder.info);
  decoder.is_grey = (png_get_color_type(decoder.png, decoder.info) & PNG_COLOR_MASK_COLOR) == 0;
  RequestRgba(decoder);
  decoder.width = png_get_image_width(decoder.png, decoder.info);
  decoder.height = png_get_image_height(decoder.png, decoder.info);
  decoder.rgba.resize(decoder.width * decoder.height * kRgba);
  for (std::size_t y = 0; y < decoder.height; ++y) {
    decoder.rows.push_back(decoder.rgba.data() + y * decoder.width * kRgba);
  }
  png_read_image(decoder.png, decoder.rows.data());
  png_read_end(decoder.png, decoder.info);  // the chunk eXIf may come after the pixels
  png_uint_32 exif_bytes = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(decoder.png, decoder.info, &exif_bytes, &exif) != 0) {
    decoder.exif.assign(exif, exif + exif_bytes);
  }
  return true;
}

absl::Status Open(const std::string& path, PngDecoder& decoder) {
  decoder.file = std::fopen(path.c_str(), "rb");
  if (decoder.file == nullptr) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot open: ", std::strerror(errno)));
  }
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, OnError, OnWarning);
  if (decoder.png != nullptr) decoder.info = png_create_info_struct(decoder.png);
  if (decoder.info == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": no memory to decode PNG"));
  }
  return absl::OkStatus();
}

absl::Status CheckOpaque(const std::string& path, const PngDecoder& decoder) {
  for (std::size_t i = 0; i < decoder.rgba.size(); i += kRgba) {
    if (decoder.rgba[i + 3] != 0xff) {
      const std::size_t pixel = i / kRgba;
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": expected opaque pixels, got a transparent one at column ",
                       pixel % decoder.width, ", row ", pixel / decoder.width,
                       "; put the image on the background of the training images first"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PixelImage> ReadPngFile(const std::string& path) {
  PngDecoder decoder;
  if (auto status = Open(path, decoder); !status.ok()) return status;
  if (!Decode(decoder)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a PNG image, got: ", decoder.error));
  }
  if (auto status = CheckOpaque(path, decoder); !status.ok()) return status;
  PixelImage image{.height = static_cast<std::int64_t>(decoder.height),
                   .width = static_cast<std::int64_t>(decoder.width),
                   .channels = decoder.is_grey ? 1 : 3,
                   .pixels = {}};
  const auto channels = static_cast<std::ptrdiff_t>(image.channels);
  image.pixels.reserve(decoder.width * decoder.height * static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < decoder.rgba.size(); i += kRgba) {
    const std::uint8_t* rgb = decoder.rgba.data() + i;
    image.pixels.insert(image.pixels.end(), rgb, rgb + channels);
  }
  const ExifOrientation orientation =
      decoder.exif.empty() ? ExifOrientation() : ReadExifOrientation(decoder.exif);
  if (!orientation.error.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", orientation.error,
                     ", so which way is up is not known: turn the picture upright and save it ",
                     "without EXIF data"));
  }
  return Upright(std::move(image), orientation.value);
}

}  // namespace lipserve
